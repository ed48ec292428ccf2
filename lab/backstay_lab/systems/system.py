"""A system of a lab, seen from outside, as a rehearsal needs it: is it whole, where is its leader, load it, judge it.

A system is a clone, mostly a promotable one, or several together. What differs between systems is in the folders here, one for
each: the subclass in `workload`, the table in `faults`. How a fault is rehearsed is the same for all (run.rehearsal), and so are
the faults that any system may suffer (nemesis.catalogue).
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError, TimedOut
from backstay_lab.clients import application
from backstay_lab.machines import logs
from backstay_lab.machines.cluster import roles_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from backstay.cluster.model import Cluster
    from backstay_lab.checkers.history import Attempt
    from backstay_lab.clients.application import Application
    from backstay_lab.clients.workload import Load
    from backstay_lab.machines.cluster import Lab
    from backstay_lab.nemesis.fault import Inflicted
    from backstay_lab.nemesis.victim import Traits


class Verdict(Protocol):
    """What the histories of one run prove. `lost` holds the ids that were acknowledged and are gone."""

    @property
    def clean(self) -> bool: ...

    @property
    def lost(self) -> Sequence[int]: ...

    def _asdict(self) -> Mapping[str, Any]: ...


class System(ABC):
    """`name` is the daemon's, as `lab fault` knows it, and the primitive's; `clone` its clone. traits: of one without parts,
    where campaigns hit it."""

    name: str
    clone: str
    traits: Traits

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    # -- what a system must say ---------------------------------------------------------------------------------------

    @abstractmethod
    def leader(self) -> str:
        """The node whose loss stops the writers. Raises AgentError when there is not exactly one."""

    @abstractmethod
    def incomplete(self, seen: Cluster) -> str:
        """What the system lacks of being whole, "" for nothing; every node is online and no failure is on record."""

    @abstractmethod
    def load(self, directory: str) -> Load:
        """Start the workload; its histories go to the directory."""

    def application(self, directory: str) -> Application:
        """Start what counts an application's failed operations beside the load, once that runs; its histories go to the
        directory."""
        return application.none()

    @abstractmethod
    def judge(self, histories: Sequence[Sequence[str]], fault: Inflicted) -> Verdict:
        """The verdict over the histories that the load's recorders wrote, once the system is whole again."""

    @property
    def parts(self) -> Mapping[str, System]:
        """The systems that it consists of, by name; none where it is one itself."""
        return {}

    def gap(self, attempts: Sequence[Attempt], fault: float) -> float:
        """Seconds without an acknowledgement because of the fault at the monotonic time `fault`."""
        from backstay_lab.checkers.writes import write_gap

        return write_gap(attempts, fault).seconds

    # -- whole --------------------------------------------------------------------------------------------------------

    def broken(self) -> str:
        """What is not yet as it should be, "" when the system is whole."""
        return self.flaw(self.lab.cluster())

    def flaw(self, seen: Cluster | None) -> str:
        """The same, of what the cluster showed: all is judged by one look, since each costs the nodes a program's start."""
        if seen is None:
            return "no node answers"
        missing = sorted(set(self.lab.nodes) - set(seen.online if seen.quorum else ()))
        if missing:
            return f"{', '.join(missing)} not online"
        if seen.failures:
            return f"failures on record: {'; '.join(one.told for one in seen.failures)}"
        return self.misplaced(seen) or self.incomplete(seen)

    def misplaced(self, seen: Cluster) -> str:
        """How the roles are not as they should be, one promoted instance and all others unpromoted; "" when they are."""
        promoted, others = self.in_role("Promoted", seen), self.in_role("Unpromoted", seen)
        if len(promoted) != 1 or len(others) != len(self.lab.nodes) - 1:
            return f"promoted: {', '.join(promoted) or 'none'}; unpromoted: {', '.join(others) or 'none'}"
        return ""

    def wait_whole(self, timeout: float) -> None:
        """Raises TimedOut that says what is still broken."""
        said = ""

        def whole() -> bool:
            nonlocal said
            seen = self.lab.cluster()
            said = self.flaw(seen)
            if said and seen is not None:
                self._clean_up_lost_starts(seen)
            return not said

        try:
            poll(whole, Deadline(timeout), f"{self.name} to be whole", interval=0.3)
        except TimedOut as late:
            raise TimedOut(f"{late}: {said}") from None

    def _clean_up_lost_starts(self, seen: Cluster) -> None:
        """As an admin does it, once more. Cleaning up, crm_resource resets the failures' count and then deletes the records. A
        start that the first brings about and that meets the second ends the controller of Pacemaker 2.1 there ("Could not
        initiate start action: No such device"); it counts as failed for good and is on no record."""
        if seen.failures or not seen.quorum:
            return
        for clone in sorted({one.clone for one in seen.instances if one.clone}):
            instances = [one for one in seen.instances if one.clone == clone]
            held = {one.node for one in instances}
            for node in sorted(set(seen.online) - held):
                for name in {one.resource for one in instances}:
                    of = ["--resource", name, "--node", node]
                    count = self.lab.run(node, ["crm_failcount", "--query", "--quiet", *of], check=False).out
                    if count.strip() == "INFINITY":
                        self.lab.run(node, ["crm_resource", "--cleanup", *of], check=False)

    def in_role(self, role: str, seen: Cluster | None = None) -> list[str]:
        """The nodes whose instance has this role, in order; by what was `seen`, or as it is now."""
        roles = self.lab.roles() if seen is None else roles_of(seen)
        return [node for node in self.lab.nodes if roles.get(node, {}).get(self.name) == role]

    def promoted(self) -> str:
        """The promoted node. Raises AgentError when there is not exactly one."""
        promoted = self.in_role("Promoted")
        if len(promoted) != 1:
            raise AgentError(f"one node should be promoted, not {len(promoted)}: {', '.join(promoted)}")
        return promoted[0]

    def cleanup(self, failed: str) -> None:
        """What an admin does about a failure that he has looked at."""
        self.forget(failed)

    def forget(self, failed: str) -> None:
        """Forget the failures on a node: it is used again at once. Raises AgentError when no node can be told to."""
        refused = AgentError("no node is online")
        for node in sorted(self.lab.online()):
            try:
                self.lab.run(node, ["crm_resource", "--cleanup", "--resource", self.name, "--node", failed])
                return
            except AgentError as error:
                refused = error  # online still, for the cluster, and off; or on again, and not yet in it
        raise refused

    def is_dc(self, node: str) -> bool:
        """Whether the node coordinates the cluster: its loss costs an election on top."""
        seen = self.lab.cluster()
        return seen is not None and seen.dc == node

    # -- logs ---------------------------------------------------------------------------------------------------------

    def log_marks(self) -> dict[str, int]:
        """Where the nodes' logs end now: path -> size."""
        return logs.marks(self.lab)

    def phases_since(self, marks: dict[str, int], fault: float) -> dict[str, float]:
        """Phase -> seconds after the fault, which is a time since the epoch."""
        return logs.phases_since(marks, fault, self.name)

    def logged_since(self, marks: dict[str, int], pattern: str) -> bool:
        """Whether any node logged since what the regular expression finds."""
        wanted = re.compile(pattern)
        return any(wanted.search(line) for lines in logs.since(marks).values() for line in lines)

    def keep_logs(self, marks: dict[str, int], directory: str) -> None:
        """Copy what the nodes logged since to the directory, one file per log: evidence outlives the lab."""
        for path, lines in logs.since(marks).items():
            name = os.path.relpath(path, self.lab.layout.directory).replace(os.sep, "-")
            with open(os.path.join(directory, name), "w", encoding="utf-8") as sink:
                sink.writelines(f"{line}\n" for line in lines)
