"""The OCF contract: from exec to method to exit code. Flow: agents/NAME → run() → main() → one method of the agent.

Rules of the contract that live here and nowhere else:
- An unknown action is 3. Unexpected errors are 1, logged with their traceback.
- The last line `ocf-exit-reason:…` on stderr is what the admin reads; Pacemaker keeps its first 128 bytes.
- Only monitor returns a code; every other action succeeds by returning and fails by raising.
- A probe answers 0, 7, 8, 9 or 5: Pacemaker bans the node or stops the resource everywhere on 2, 4 and 6 (unpack.c,
  `remap_operation`), which a typo in a parameter does not deserve.
"""

import os
import sys

from backstay.agent.log import Log
from backstay.host.deadline import Deadline
from backstay.host.process import no_core
from backstay.host.state_files import Files, Unwritable, unwritable
from backstay.ocf.codes import ExitCode
from backstay.ocf.errors import AgentError, NotInstalled, TimedOut
from backstay.ocf.invocation import Invocation
from backstay.ocf.parameters import Declared, action, actions_of, parameters_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn, Optional

    from backstay.cluster.pacemaker import Pacemaker
    from backstay.watch.client import Events, Prober


_STRICT = {"start", "promote"}  # what fails when the agent's own files cannot be written (state.py)
_NO_ROOM = {5, 28, 30, 122}  # EIO, ENOSPC, EROFS, EDQUOT


class Agent(Declared):
    """Base of all agents. Subclasses declare parameters and actions, and the texts below.

    deadline: the end of this action, somewhat before Pacemaker kills it. unwritten: which of our own files could not be.
    explained: the last exit reason that was given.
    """

    def __init__(self, invocation: Invocation) -> None:
        self.invocation = invocation
        self._pacemaker: Optional[Pacemaker] = None
        self.log = Log(f"{self.name}({invocation.resource})", invocation.environ)
        self.log.secrets = [
            invocation.parameters[parameter.name]
            for parameter in parameters_of(type(self))
            if parameter.secret and invocation.parameters.get(parameter.name)
        ]
        self.unwritten: list[str] = []
        self.explained = ""
        timeout = invocation.timeout or self._declared_timeout()
        # Pacemaker kills the process group without warning at the timeout: be done, with a reason, before that.
        self.deadline = Deadline(max(timeout * 0.9, timeout - 2))

    def begin(self, seconds: float) -> None:
        """Outside an action, as in the watcher's errands: what follows may take so long."""
        self.deadline = Deadline(seconds)
        self._pacemaker = None

    def _declared_timeout(self) -> float:
        return next((spec.timeout for spec in actions_of(type(self)) if spec.name == self.invocation.action), 20)

    @property
    def pacemaker(self) -> "Pacemaker":
        """The way to the cluster, made on first use: most monitors need none."""
        if self._pacemaker is None:
            from backstay.cluster.pacemaker import Pacemaker

            self._pacemaker = Pacemaker(
                self.invocation.resource, self.invocation.node, self.state_directory(), self.deadline
            )
        return self._pacemaker

    def state_directory(self) -> str:
        """A directory for this resource that the next boot finds empty; 0700, made when missing. Raises Unwritable in an
        action that cannot do without."""
        path = os.path.join(self.invocation.environ.get("BACKSTAY_RUN", "/run/backstay"), self.invocation.resource)
        try:
            os.makedirs(path, mode=0o700, exist_ok=True)
        except OSError as error:
            self.cannot_write(unwritable(path, error))
        return path

    @property
    def complaints(self) -> "Optional[list[str]]":
        """For Files: where this action notes what could not be written; None where that fails it."""
        return None if self.invocation.action in _STRICT else self.unwritten

    def cannot_write(self, what: str) -> None:
        """Raises Unwritable in an action that cannot do without; else it is told at the end."""
        if self.complaints is None:
            raise Unwritable(what)
        if what not in self.unwritten:
            self.unwritten.append(what)

    def files(self) -> Files:
        """What this resource remembers."""
        return Files(self.state_directory(), self.complaints)

    def code(self) -> str:
        """Which installation this runs from: another after each, be it one directory for another or file by file. What was
        started by an action and outlives it is started anew when it is of another. Raises OSError."""
        modules = sys.modules[__name__], sys.modules[type(self).__module__]
        found = [os.stat(os.path.dirname(str(module.__file__))) for module in modules]
        return ",".join(f"{one.st_ino}:{one.st_mtime_ns}" for one in found)

    def check_parameters(self) -> None:
        """Convert every parameter. Raises Misconfigured for the first that does not fit."""
        for parameter in parameters_of(type(self)):
            getattr(self, parameter.name)

    def check_host(self) -> None:
        """Whether this host suits: software, files, rights. Raises AgentError. Called by validate-all at level 10."""

    def fail_on(self, findings: "Sequence[str]") -> None:
        """The first of the findings becomes the exit reason, the others go to the log. Raises AgentError when there are any."""
        for finding in findings[1:]:
            self.log.error(finding)
        if findings:
            raise AgentError(findings[0])

    def explain(self, reason: str) -> None:
        """An exit reason: for a result that is no failure as well, such as a degraded monitor."""
        self.explained = reason
        prefix = self.invocation.environ.get("OCF_EXIT_REASON_PREFIX", "ocf-exit-reason:")
        sys.stderr.write(f"{prefix}{' '.join(self.log.masked(reason).split())}\n")

    def alive(self, promoted: bool, reason: str = "") -> ExitCode:
        """How a recurring monitor ends that found the service up. reason: why it is not as wanted, "" when it is. An instance
        that may be promoted tells it by an attribute, any other by a degraded result (standing.py)."""
        reason = self.log.masked("; ".join(filter(None, [reason, *self.unwritten[:1]])))
        if self.invocation.promotable:
            self._tell(reason)
        elif reason:
            self.explain(reason)
            return ExitCode.DEGRADED_PROMOTED if promoted else ExitCode.DEGRADED
        return ExitCode.RUNNING_PROMOTED if promoted else ExitCode.SUCCESS

    def _tell(self, reason: str) -> None:
        """A healthy monitor pays one look for a file. A cluster that takes no attribute fails no monitor."""
        files = self.files()
        noted = files.read("standing")
        if not noted and not reason:
            return
        from backstay.agent.degraded import Standing, attribute

        before = Standing.parse(noted)
        now = before.found(self.invocation.check_level, reason)
        try:
            self.pacemaker.set_attribute(attribute(self.invocation.resource), now.published)
            files.write("standing", str(now)) if now.reasons else files.remove("standing")
        except AgentError as error:
            self.log.warning(f"not published, the next monitor tries again: {error}")
        if now.published != before.published:
            self.log.warning(f"not as wanted: {now.published}" if now.reasons else f"over: {before.published}")

    def watched_address(self) -> str:
        """An address on another host whose move the watcher shall report to `address_moved`; "" for none."""
        return ""

    def address_moved(self) -> None:
        """Called by the watcher, not by Pacemaker. Raises AgentError."""

    def watch(self, pid: int, started: str, anew: bool = False) -> None:
        """See that this process has its watcher, once this node is part of a cluster; see watch.ensure. Where none can be
        started only speed is lost, so that fails nothing."""
        if not self.invocation.node:
            return
        from backstay.watch import client as watch

        try:
            watch.ensure(self, pid, started, anew)
        except (AgentError, OSError) as error:
            self.log.warning(f"no watcher: {error}")

    def quiet(self, pid: int, started: str) -> None:
        """Before we end this process ourselves: its watcher is to tell nothing of that. Not being able to say so must not
        fail a stop."""
        from backstay.watch import client as watch

        try:
            watch.quiet(self.files(), pid, started)
        except (AgentError, OSError) as error:
            self.log.warning(f"the watcher may report this as a failure: {error}")

    def prober(self) -> "Optional[Prober]":
        """What the watcher asks whether the daemon answers; None: it sees only death. See watch.py."""
        return None

    def patience(self) -> float:
        """Seconds without an answer after which a daemon has failed."""
        return 3.0

    def look_every(self) -> float:
        """Seconds between the watcher's looks while all is well."""
        return 1.0

    def events(self) -> "Optional[Events]":
        """What tells the watcher that it should look at once; None: nothing does."""
        return None

    @action(timeout=5)
    def meta_data(self) -> None:
        """Print the meta-data, OCF 1.1."""
        from backstay.ocf.metadata import render

        sys.stdout.write(render(type(self)))

    @action(timeout=20)
    def validate_all(self) -> None:
        """Level 0 checks the parameters alone, level 10 also this host (OCF 1.1, "validate-all")."""
        self.check_parameters()
        if self.invocation.check_level >= 10:
            self.check_host()


def run(agent_class: "type[Agent]") -> "NoReturn":
    """The whole process of an agent. It ends without the interpreter's tidying up, a sixth of a monitor's cost."""
    code = main(agent_class, sys.argv, os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main(agent_class: "type[Agent]", argv: "Sequence[str]", environ: "Mapping[str, str]") -> int:
    """Run one action; the exit status. `argv` as in sys.argv."""
    no_core()
    methods = {spec.name: spec.method for spec in actions_of(agent_class)}
    wanted = argv[1] if len(argv) > 1 else ""
    if wanted in ("usage", "help", ""):
        sys.stdout.write(f"usage: {agent_class.name} {{{'|'.join(methods)}}}\n")
        return ExitCode.SUCCESS if wanted else ExitCode.ERR_UNIMPLEMENTED
    invocation = Invocation(wanted, environ)
    if invocation.action not in methods:
        sys.stderr.write(f"ocf-exit-reason:{agent_class.name} has no action {wanted}\n")
        return ExitCode.ERR_UNIMPLEMENTED
    agent = agent_class(invocation)
    try:
        if not invocation.lenient and invocation.action not in ("meta-data", "validate-all"):
            agent.check_parameters()
        code = getattr(agent, methods[invocation.action])()
        return int(_told(agent, ExitCode.SUCCESS if code is None else code))
    except AgentError as error:
        return _fail(agent, str(error), error.code if not invocation.is_probe else _probe_code(error))
    except Exception as error:  # noqa: BLE001  the one place where an unknown error becomes an exit code
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            where = os.path.dirname(os.fsdecode(error.filename)) if error.filename else "a file system"
            return _fail(agent, unwritable(where, error), ExitCode.ERR_GENERIC)
        import traceback

        agent.log.error(traceback.format_exc())
        return _fail(agent, f"internal error, see the log: {type(error).__name__}: {error}", ExitCode.ERR_GENERIC)


def _told(agent: Agent, code: ExitCode) -> ExitCode:
    """What the action returns once it was told which of our own files could not be written."""
    degraded = {ExitCode.SUCCESS: ExitCode.DEGRADED, ExitCode.RUNNING_PROMOTED: ExitCode.DEGRADED_PROMOTED}
    if not agent.unwritten or agent.invocation.is_probe or agent.unwritten[0] in agent.explained:
        return code
    if agent.invocation.action != "monitor" or agent.invocation.promotable:  # of those `alive` has told what it could
        agent.log.warning(agent.unwritten[0])
        return code
    agent.explain("; ".join(filter(None, [agent.explained, agent.unwritten[0]])))
    return degraded.get(code, code)


def _probe_code(error: AgentError) -> ExitCode:
    """What a probe that could not finish answers: software that is not there does not run; a server that gives no
    answer does, and the first real monitor says what is wrong with it."""
    if isinstance(error, NotInstalled):
        return ExitCode.ERR_INSTALLED
    return ExitCode.SUCCESS if isinstance(error, TimedOut) else ExitCode.NOT_RUNNING


def _fail(agent: Agent, reason: str, code: ExitCode) -> int:
    """Tell the admin why, and Pacemaker which code."""
    agent.log.error(f"{agent.invocation.action}: {' '.join(agent.log.masked(reason).split())}")
    agent.explain(reason)
    return int(code)
