"""The only way to Pacemaker: attributes, promotion scores, facts, membership, failures.

Each question is one process of 8 to 40 ms, so the callers ask little, and writes are remembered: an attribute is
written only when its value changed, since a changed public attribute aborts the running transition (controld_te_callbacks.c).
A value is forgotten before it is written: Pacemaker kills a recurring monitor that it cancels, and one that was killed between
its write and its note left a primary with a low score that everyone took for a full one.
What was written is trusted while the same executor runs, for three minutes at most: attrd forgets transient attributes when the
node leaves the cluster, and writing an equal value again is free of side effects. It is also without effect where it is needed:
a controller that ends, alone or with its executor, takes its node's attributes out of the CIB, and attrd, which is not told
(2.1.5), believes that they are there. A node would stay without promotion score until that changes. So what is not trusted any
more is written again, and before that all that attrd has is sent to the CIB (attrd_updater -R), which else changes nothing there.

Outside a cluster (ocf-tester, a shell; Pacemaker names the node, they do not) every tool exits 102 or 107: reads answer
None, writes do nothing. Inside one the same exit status means that a daemon is down for a moment. Then what matters for
safety (facts, membership) is an error: "nothing is recorded" must never be read from "nobody answered".
"""

from __future__ import annotations

import os
import time

from backstay.cluster.attributes import RECORD, RECORDS, SCORE
from backstay.host import site_packages
from backstay.host.command import Begun, run
from backstay.host.deadline import Deadline
from backstay.host.state_files import Files, StateFile
from backstay.ocf.errors import CommandFailed
from backstay.ocf.parameters import whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from backstay.cluster.attributes import Attribute
    from backstay.cluster.overview import Ends, Overview

_MEMBERS = ["crm_node", "-p"]
_MISSING = {78, 105}  # attrd_updater 2.1.5 and crm_attribute: no such attribute (CRM_EX_CONFIG, CRM_EX_NOSUCH)
_EXISTS = 108  # CRM_EX_EXISTS
_NO_CLUSTER = {102, 107}  # CRM_EX_DISCONNECT, CRM_EX_NOHOST as attrd_updater 3.0 puts it
_TRUST = 180.0  # seconds; what is known to take attributes away is seen at once (the watcher), this is for the rest
MEMORY = StateFile(
    "attributes",
    "the executor, since when, and the attributes that were written, NAME=VALUE",
    lost="the next monitor writes equal values once more, which changes nothing",
)


class Pacemaker:
    """The cluster as one resource on one node sees it. `deadline` bounds every call."""

    def __init__(self, resource: str, node: str, state_directory: str, deadline: Deadline) -> None:
        self.resource = resource
        self._node = node
        self._clustered = bool(node)
        self._unwritten: list[str] = []
        self._files = Files(state_directory, self._unwritten)
        self._since = ""  # when the oldest that is remembered was written
        self._deadline = deadline
        self._begun: dict[tuple[str, ...], Begun] = {}

    def ask_ahead(self) -> None:
        """Ask who the members are, and what is on record, while the caller goes on: the next `members` and the next `facts` take
        these answers. Raises NotInstalled."""
        for question in (self._facts(), _MEMBERS):
            self._begun[tuple(question)] = Begun(question)

    @property
    def clustered(self) -> bool:
        """Whether Pacemaker asks, which names the node."""
        return self._clustered

    # -- membership ---------------------------------------------------------------------------------------------------

    def node(self) -> str:
        """The local node's name; the host's name outside a cluster."""
        if not self._node:
            self._node = (self._ask(["crm_node", "-n"]) or os.uname().nodename).strip()
        return self._node

    def members(self) -> list[str]:
        """Names of the nodes in this partition, the local one included; empty outside a cluster. Raises AgentError."""
        return (self._ask(_MEMBERS, strict=True) or "").split()

    def nodes(self) -> list[str]:
        """Names of all members the cluster knows, whether they are up or not; remote nodes, whose id is no number, are none.
        Raises AgentError."""
        listing = self._ask(["crm_node", "-l"], strict=True) or ""
        known = (fields for fields in map(str.split, listing.splitlines()) if len(fields) > 1)
        return sorted(name for number, name, *_ in known if whole(number))

    def overview(self, ends: bool = False) -> Overview | None:
        """The scheduler's view; None outside a cluster. ends: also how the resource ended where it is not seen, which is
        another process where it is not seen somewhere. Raises AgentError when the tools say what we cannot read."""
        text = self._ask(["crm_mon", "-1", "--output-as=xml"], meanwhile=_load_reader)
        if not text:
            return None
        from backstay.cluster.overview import parse_overview

        overview = parse_overview(text, self.resource)
        if ends and overview.idle:
            known = {node: end for node, end in self.ends().items() if node in overview.idle}
            overview = overview._replace(ends=known)
        return overview

    def ends(self) -> dict[str, Ends]:
        """What the cluster knows of the resource's end, of every node it has seen since it started; empty outside a cluster.
        Raises AgentError."""
        text = self._ask(["cibadmin", "--query", "--scope=status"], strict=True, meanwhile=_load_reader)
        if not text:
            return {}
        from backstay.cluster.overview import parse_ends

        return parse_ends(text, self.resource)

    # -- transient attributes and scores ------------------------------------------------------------------------------

    def attribute(self, attribute: Attribute, node: str = "") -> str | None:
        """A transient attribute as the attribute daemon has it, None when unset or outside a cluster."""
        said = self._ask(["attrd_updater", "-Q", "-n", attribute.of(self.resource), "-N", node or self.node()])
        value = (said or "").partition(' value="')[2].rpartition('"')[0]
        return value or None

    def set_attribute(self, attribute: Attribute, value: str, part: str = "") -> None:
        """Set a transient attribute of this node, if that changes it. A private one makes the scheduler look at nothing."""
        known, name = self._known(), attribute.of(self.resource, part)
        if known.get(name) == value:
            return
        update = ["attrd_updater", "-n", name, "-N", self.node(), "-U", value]
        self._remember(known, but=name)
        if self._ask(update if attribute.public else [*update, "-p"]) is not None:
            self._remember({**known, name: value})

    def announce(self, attribute: Attribute, value: str) -> None:
        """Set a private attribute of this node, and remember nothing: for who runs beside this resource's actions, whose memory
        it would write over."""
        self._ask(["attrd_updater", "-n", attribute.of(self.resource), "-N", self.node(), "-U", value, "-p"])

    def forget_attribute(self, attribute: Attribute) -> None:
        """Delete a transient attribute of this node, if it may be set."""
        known, name = self._known(), attribute.of(self.resource)
        if known.get(name) != "":
            self._remember(known, but=name)
            self._ask(["attrd_updater", "-n", name, "-N", self.node(), "-D"])
            self._remember({**known, name: ""})

    def send_again(self) -> None:
        """Send all attributes that attrd has to the CIB, if any was written here. It changes those that had left it."""
        if self._lines():
            self._ask(["attrd_updater", "-R"])

    def forget_written(self) -> None:
        """Nothing of what was written is there any more: the next that is said will be written."""
        self._files.remove(MEMORY)

    def set_promotion_score(self, score: int | str) -> None:
        """The wish to be promoted here, up to 1,000,000, or NEVER. Note that 0 promotes too."""
        self.set_attribute(SCORE, str(score))

    def has_promotion_score(self, score: int) -> bool:
        """Whether this was the score that was set last, as far as it is remembered. Asks nobody."""
        return f"{SCORE.of(self.resource)}={score}" in self._lines()

    # -- durable facts ------------------------------------------------------------------------------------------------

    def facts(self) -> str:
        """The resource's durable record, "" when there is none. It survives the loss of every node's power. Raises
        AgentError."""
        return (self._ask(self._facts(), strict=True) or "").strip()

    def set_facts(self, text: str) -> None:
        """Write the durable record; on return the cluster has it. Raises AgentError."""
        name = RECORD.of(self.resource)
        self._ask(["crm_attribute", "-t", "crm_config", "-s", RECORDS, "-n", name, "-v", text], strict=True)

    def replace_facts(self, old: str, new: str) -> bool:
        """Write the durable record where it is still `old`; whether it was. One step of the cluster: of two that do so one fails.
        Outside a cluster nothing is written, and that is well. Raises AgentError."""
        name = RECORD.of(self.resource)
        pair = f'<nvpair id="{RECORDS}-{name}" name="{name}" value="{_escaped(new)}"/>'
        records = f'<cluster_property_set id="{RECORDS}">{pair}</cluster_property_set>'
        where, write = f"//crm_config/cluster_property_set[@id='{RECORDS}']", ["cibadmin", "--sync-call"]
        if old:
            quote = '"' if "'" in old else "'"
            place = f"{where}/nvpair[@name='{name}' and @value={quote}{old}{quote}]"
            return self._ask([*write, "--modify", "--xpath", place, "-X", pair], strict=True) is not None
        place = f"{where}[not(nvpair[@name='{name}' and @value!=''])]"
        if self._ask([*write, "--modify", "--xpath", place, "-X", records], strict=True) is not None:
            return True
        try:
            self._ask([*write, "--create", "-o", "crm_config", "-X", records], strict=True)
        except CommandFailed as error:
            if error.status == _EXISTS:
                return False
            raise
        return True

    # -- failures -----------------------------------------------------------------------------------------------------

    def fail(self, node: str = "") -> None:
        """Tell the cluster that the resource failed on this node, or another, now, without waiting for a monitor."""
        run(["crm_resource", "--fail", "-r", self.resource, "-N", node or self.node()], timeout=10)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _facts(self) -> list[str]:
        return ["crm_attribute", "-t", "crm_config", "-s", RECORDS, "-n", RECORD.of(self.resource), "-G", "-q"]

    def _ask(self, argv: list[str], strict: bool = False, meanwhile: Callable[[], object] | None = None) -> str | None:
        """Standard output, or None when there is no cluster or no such thing. Raises CommandFailed otherwise; `strict`:
        also when a cluster should be there and does not answer."""
        begun = self._begun.pop(tuple(argv), None) or Begun(argv)
        done = begun.end(self._deadline.within(5).remaining(), check=False, meanwhile=meanwhile)
        if done.status == 0:
            return done.out
        connected = "ould not connect" not in done.err  # 105 is also what a CIB in a missing file gives
        if done.status in _MISSING and connected:
            return None
        if (done.status in _NO_CLUSTER or not connected) and not (strict and self._clustered):
            return None
        said = (done.err or done.out).strip().splitlines()
        raise CommandFailed(f"{argv[0]} failed with status {done.status}: {said[-1] if said else ''}", done.status)

    def _lines(self) -> list[str]:
        """What is remembered: the executor and since when (CLOCK_MONOTONIC, seconds), then NAME=VALUE; empty on a node that has
        just booted."""
        return self._files.read(MEMORY).splitlines()

    def _known(self) -> dict[str, str]:
        """What was written and is there. What is not to be trusted any more is sent to the CIB again, and then unknown."""
        lines = self._lines()
        executor, _, self._since = lines[0].partition(" ") if lines else ("", "", "")
        if not lines:
            return {}
        if executor == _incarnation() and self._since and 0 <= time.monotonic() - float(self._since) < _TRUST:
            return dict(line.split("=", 1) for line in lines[1:] if "=" in line)
        self._since = ""
        self._ask(["attrd_updater", "-R"])
        self._files.remove(MEMORY)
        return {}

    def _remember(self, values: dict[str, str], but: str = "") -> None:
        """Without `but`, if that is among them. The trust in all ends with that in the oldest. To know nothing is harmless, the
        next write repeats an equal value; so what cannot be noted, as on a full disk, is forgotten, and fails no action."""
        if but and values.pop(but, None) is None:
            return
        self._since = self._since or str(time.monotonic())
        lines = [f"{_incarnation()} {self._since}", *(f"{name}={value}" for name, value in values.items())]
        self._unwritten.clear()
        self._files.write(MEMORY, "\n".join(lines))
        if self._unwritten:
            self._files.remove(MEMORY)


def _incarnation() -> str:
    """Which executor started us: it is restarted with the cluster stack on this node, and attrd's memory with it."""
    parent = os.getppid()
    try:
        with open(f"/proc/{parent}/stat", encoding="ascii", errors="replace") as source:
            return f"{parent}:{source.read().rpartition(')')[2].split()[19]}"
    except OSError:
        return ""


def _escaped(text: str) -> str:
    """For a value in XML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def _load_reader() -> None:
    """What reads XML, which takes about as long to load as crm_mon to answer."""
    site_packages.reach()
    from backstay.cluster.xml import library

    library()
