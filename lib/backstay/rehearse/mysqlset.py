"""The MySQL set of a lab, seen from outside: who is primary, is it whole, what does each server hold."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

from backstay.deadline import Deadline, poll
from backstay.errors import AgentError, TimedOut
from backstay.lab.layout import CLIENT
from backstay.mysql.health import HEALTHY
from backstay.rehearse.timeline import phases

if TYPE_CHECKING:
    from backstay.lab.cluster import Lab

RESOURCE, CLONE, WRITER = "mysql", "mysql-clone", "mysql-writer"  # as in crm-templates/mysql.crm
LOGS = ("var/log/pacemaker/pacemaker.log", "var/log/corosync/corosync.log")
DEGRADED = ("190", "191")  # of monitors: no failures, though Pacemaker lists them, and goes on doing so afterwards
MARKER = "CREATE TABLE IF NOT EXISTS marker (id INT PRIMARY KEY, value BIGINT NOT NULL)"


class MysqlSet:
    """`readers` maps node to URL."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.writer = str(lab.endpoints["writer"])
        self.readers = dict(zip(lab.nodes, lab.endpoints["readers"]))

    # -- asking -------------------------------------------------------------------------------------------------------

    def sql(self, sql: str, *urls: str) -> list[list[list[Any]] | None]:
        """The rows of each server, None for one that gave no answer."""
        asked = ["python3", "-m", "backstay.rehearse.query", sql, *urls]
        return [answer.get("rows") for answer in json.loads(self.lab.run(CLIENT, asked).out)]

    def root(self, node: str, sql: str) -> str:
        """A statement as root, by the server's own socket; what the client program prints, without headings."""
        return self.lab.run(node, ["mysql", "--batch", "--skip-column-names", "--execute", sql]).out.strip()

    def primary(self) -> str:
        """The promoted node. Raises AgentError when there is not exactly one."""
        promoted = [node for node, roles in self.lab.roles().items() if roles.get(RESOURCE) == "Promoted"]
        if len(promoted) != 1:
            raise AgentError(f"there should be one primary, not {len(promoted)}: {', '.join(promoted)}")
        return promoted[0]

    def facts(self) -> str:
        """The durable record, from the first node that answers."""
        for node in sorted(self.lab.online()):
            asked = ["crm_attribute", "-t", "crm_config", "-s", "backstay", "-n", f"{RESOURCE}-facts", "-G", "-q"]
            return self.lab.run(node, asked, check=False).out.strip()
        raise AgentError("no node is online to be asked for the facts")

    def ids(self, node: str, first: int, last: int) -> set[int]:
        """Ids of the ledger's rows on a node's server. Raises AgentError when it does not answer."""
        [rows] = self.sql(f"SELECT id FROM ledger WHERE id BETWEEN {first:d} AND {last:d}", self.readers[node])
        if rows is None:
            raise AgentError(f"the server on {node} does not answer")
        return {row[0] for row in rows}

    # -- whole --------------------------------------------------------------------------------------------------------

    def broken(self) -> str:
        """What is not yet as it should be, "" when the set is whole: all nodes online, one primary with the writer
        address, every other a replica, no failure on record, a row written now on every server, all acknowledging."""
        crm = self.lab.cluster_status()
        if crm is None:
            return "no node answers"
        missing = sorted(set(self.lab.nodes) - self.lab.online())
        if missing:
            return f"{', '.join(missing)} not online"
        failures = [
            f"{one.get('op_key')} on {one.get('node')}: {one.get('exitreason') or one.get('exitstatus')}"
            for one in crm.iterfind("failures/failure")
            if one.get("exitcode") not in DEGRADED
        ]
        if failures:
            return f"failures on record: {'; '.join(failures)}"
        roles = self.lab.roles()
        promoted = [node for node in self.lab.nodes if roles.get(node, {}).get(RESOURCE) == "Promoted"]
        replicas = [node for node in self.lab.nodes if roles.get(node, {}).get(RESOURCE) == "Unpromoted"]
        if len(promoted) != 1 or len(replicas) != len(self.lab.nodes) - 1:
            return f"promoted: {', '.join(promoted) or 'none'}; replicas: {', '.join(replicas) or 'none'}"
        if WRITER not in roles[promoted[0]]:
            return "the writer address is not with the primary"
        unreplicated = self._unreplicated()
        if unreplicated:
            return unreplicated
        facts = dict(field.split("=", 1) for field in self.facts().split())
        if facts.get("solo") != "no" or set(facts["sync"].split(",")) < set(replicas):
            return f"not every replica acknowledges: {facts}"
        scores = {
            str(node.get("name")): str(found.get("value"))
            for node in crm.iterfind("node_attributes/node")
            for found in node.iterfind(f"attribute[@name='master-{RESOURCE}']")
        }
        poor = [f"{node} {scores.get(node)}" for node in self.lab.nodes if scores.get(node) != str(HEALTHY)]
        return f"promotion scores: {', '.join(poor)}" if poor else ""

    def _unreplicated(self) -> str:
        value = time.monotonic_ns()
        if self.sql(MARKER, self.writer) == [None] or self.sql(
            f"REPLACE INTO marker VALUES (1, {value})", self.writer
        ) == [None]:
            return "a write fails"
        # A replica that runs has it within milliseconds; one that does not has it never.
        rows = self.sql("SELECT value FROM marker WHERE id = 1", *self.readers.values())
        late = [node for node, answer in zip(self.readers, rows) if answer != [[value]]]
        return f"a new row is not on {', '.join(late)}" if late else ""

    def wait_whole(self, timeout: float) -> None:
        """Raises TimedOut that says what is still broken."""
        said = ""

        def whole() -> bool:
            nonlocal said
            said = self.broken()
            return not said

        try:
            poll(whole, Deadline(timeout), "the set to be whole", interval=0.3)
        except TimedOut as late:
            raise TimedOut(f"{late}: {said}") from None

    def cleanup(self, failed: str) -> None:
        """Forget the failures on a node, as an admin does who has looked at them: its server starts again at once."""
        for node in sorted(self.lab.online()):
            self.lab.run(node, ["crm_resource", "--cleanup", "--resource", RESOURCE, "--node", failed])
            return

    def is_dc(self, node: str) -> bool:
        """Whether the node coordinates the cluster: its loss costs an election on top."""
        crm = self.lab.cluster_status()
        return crm is not None and any(dc.get("name") == node for dc in crm.iterfind("summary/current_dc"))

    # -- logs ---------------------------------------------------------------------------------------------------------

    def log_marks(self) -> dict[str, int]:
        """Where the nodes' logs end now: path -> size. They are read from the disks, which a node off still has."""
        paths = [self.lab.layout.node(node, "upper", log) for node in self.lab.nodes for log in LOGS]
        return {path: os.path.getsize(path) if os.path.exists(path) else 0 for path in paths}


def lines_since(marks: dict[str, int]) -> dict[str, list[str]]:
    """What the nodes logged since: path -> lines."""
    found = {}
    for path, size in marks.items():
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as source:
                source.seek(size)
                found[path] = source.read().splitlines()
    return found


def phases_since(marks: dict[str, int], fault: float) -> dict[str, float]:
    """Phase -> seconds after the fault, which is a time since the epoch."""
    return phases([line for lines in lines_since(marks).values() for line in lines], fault)


def keep_logs(lab: Lab, marks: dict[str, int], directory: str) -> None:
    """Copy what the nodes logged since to the directory, one file per log: evidence outlives the lab."""
    for path, lines in lines_since(marks).items():
        name = os.path.relpath(path, lab.layout.path("nodes")).replace(os.sep, "-")
        with open(os.path.join(directory, name), "w", encoding="utf-8") as sink:
            sink.writelines(f"{line}\n" for line in lines)
