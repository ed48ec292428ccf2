"""The MySQL set of a lab, seen from outside: who is primary, is it whole, what does each server hold."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

from backstay.cluster.attributes import SCORE
from backstay.ocf.errors import AgentError
from backstay.services.mysql.health import HEALTHY
from backstay_lab.checkers import writes
from backstay_lab.checkers.history import parse_attempts, parse_samples
from backstay_lab.clients import application, workload
from backstay_lab.machines.cluster import roles_of
from backstay_lab.machines.layout import CLIENT, LabError
from backstay_lab.nemesis.victim import Traits
from backstay_lab.systems.mysql import deploy
from backstay_lab.systems.system import System

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from backstay.cluster.model import Cluster
    from backstay_lab.machines.cluster import Lab
    from backstay_lab.nemesis.fault import Inflicted

WRITER = "mysql-writer"  # as in crm-templates/mysql.crm
NO_TABLE = "1146"  # in an error
MARKER = "CREATE TABLE IF NOT EXISTS marker (id INT PRIMARY KEY, value BIGINT NOT NULL)"


class MysqlSet(System):
    """`readers` maps node to URL. The leader is the primary."""

    name, clone = "mysql", "mysql-clone"  # as in crm-templates/mysql.crm
    traits = Traits(
        port=3306,
        peers=3306,
        configuration=deploy.CONFIG,
        nonsense="[mysqld]\nno-such-option = 1",
        address=deploy.WRITER,
        data=deploy.DATA,
    )

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.writer = str(lab.endpoints["writer"])
        self.readers = dict(zip(lab.nodes, lab.endpoints["readers"]))

    # -- asking -------------------------------------------------------------------------------------------------------

    def sql(self, sql: str, *urls: str) -> list[list[list[Any]] | None]:
        """The rows of each server, None for one that gave no answer."""
        return [answer.get("rows") for answer in self._answers(sql, *urls)]

    def _answers(self, sql: str, *urls: str) -> list[dict[str, Any]]:
        """What clients.query prints."""
        asked = ["python3", "-m", "backstay_lab.clients.query", sql, *urls]
        answers: list[dict[str, Any]] = json.loads(self.lab.run(CLIENT, asked).out)
        return answers

    def root(self, node: str, sql: str) -> str:
        """A statement as root, by the server's own socket; what the client program prints, without headings."""
        return self.lab.run(node, ["mysql", "--batch", "--skip-column-names", "--execute", sql]).out.strip()

    def primary(self) -> str:
        """The promoted node. Raises AgentError when there is not exactly one."""
        return self.promoted()

    def leader(self) -> str:
        return self.promoted()

    def facts(self, online: Iterable[str] = ()) -> str:
        """The durable record, from the first node that answers of those that are `online`, where that is known."""
        for node in sorted(online or self.lab.online()):
            asked = ["crm_attribute", "-t", "crm_config", "-s", "backstay", "-n", f"{self.name}-facts", "-G", "-q"]
            with contextlib.suppress(LabError):  # online still, for the cluster, and off
                return self.lab.run(node, asked, check=False).out.strip()
        raise AgentError("no node is online to be asked for the facts")

    def ids(self, node: str, first: int, last: int) -> set[int]:
        """Ids of the ledger's rows on a node's server. Raises AgentError when it does not answer."""
        [rows] = self.sql(f"SELECT id FROM ledger WHERE id BETWEEN {first:d} AND {last:d}", self.readers[node])
        if rows is None:
            raise AgentError(f"the server on {node} does not answer")
        return {row[0] for row in rows}

    # -- whole --------------------------------------------------------------------------------------------------------

    def incomplete(self, seen: Cluster) -> str:
        """The primary has the writer address, a row written now is on every server, all acknowledge, any may be next."""
        [primary] = self.in_role("Promoted", seen)
        if WRITER not in roles_of(seen)[primary]:
            return "the writer address is not with the primary"
        unreplicated = self._unreplicated()
        if unreplicated:
            return unreplicated
        facts = dict(field.split("=", 1) for field in self.facts(seen.online).split())
        replicas = self.in_role("Unpromoted", seen)
        if facts.get("solo") != "no" or set(facts["sync"].split(",")) < set(replicas):
            return f"not every replica acknowledges: {facts}"
        scores = {node.name: node.attributes.get(SCORE.of(self.name)) for node in seen.nodes}
        poor = [f"{node} {scores.get(node)}" for node in self.lab.nodes if scores.get(node) != str(HEALTHY)]
        return f"promotion scores: {', '.join(poor)}" if poor else ""

    def _unreplicated(self) -> str:
        value = time.monotonic_ns()
        [written] = self._answers(f"REPLACE INTO marker VALUES (1, {value})", self.writer)
        if "rows" not in written:
            if NO_TABLE in written["error"]:
                self.sql(MARKER, self.writer)
            return f"a write fails: {written['error']}"
        # A replica that runs has it within milliseconds; one that does not has it never.
        rows = self.sql("SELECT value FROM marker WHERE id = 1", *self.readers.values())
        late = [node for node, answer in zip(self.readers, rows) if answer != [[value]]]
        return f"a new row is not on {', '.join(late)}" if late else ""

    # -- load and verdict ---------------------------------------------------------------------------------------------

    def load(self, directory: str) -> workload.Load:
        """Four writers through the writer address, an attempt every 10 ms, and samples of every server each 15 ms."""
        first = time.time_ns() // 1_000_000  # grows faster than ids are used, so every run has ids of its own
        servers = [f"{node}={url}" for node, url in self.readers.items()]
        sampler = workload.Recorder(self.lab, "sampler", servers, directory)
        writer = workload.Recorder(self.lab, "ledger", [self.writer, "--first", str(first)], directory)
        return workload.Load([writer, sampler])

    def application(self, directory: str) -> application.Application:
        return application.of_database(self.lab, self.writer, directory)

    def judge(self, histories: Sequence[Sequence[str]], fault: Inflicted) -> writes.Verdict:
        """Against the rows on the primary. That the replicas hold the same ones is part of it; one that does not answer has
        none."""
        attempts, samples = parse_attempts(histories[0]), parse_samples(histories[1])
        ids = [attempt.id for attempt in attempts]
        first, last = min(ids), max(ids)
        primary = self.primary()
        present = self.ids(primary, first, last)
        differ = [node for node in self.lab.nodes if node != primary and self._held(node, first, last) != present]
        verdict = writes.judge(attempts, samples, present, fault.moves, self.lab.nodes)
        return verdict._replace(copies_differ=differ)

    def _held(self, node: str, first: int, last: int) -> set[int]:
        try:
            return self.ids(node, first, last)
        except AgentError:
            return set()
