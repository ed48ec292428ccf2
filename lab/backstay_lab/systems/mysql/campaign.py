"""The MySQL set under a campaign: its load, and the evidence in the end."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import TimedOut
from backstay.services.mysql.daemon import same_node
from backstay.services.mysql.gtid import MariadbHistory, MysqlHistory
from backstay_lab.checkers.evidence import Evidence
from backstay_lab.checkers.history import parse_attempts, parse_samples
from backstay_lab.checkers.registers import Final, Operation
from backstay_lab.clients import workload
from backstay_lab.machines.layout import CLIENT
from backstay_lab.systems.mysql.deploy import WRITER
from backstay_lab.systems.mysql.workload import MysqlSet
from backstay_lab.systems.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from backstay_lab.checkers.messages import Outage
    from backstay_lab.machines.cluster import Lab

EQUAL = 15.0  # seconds for the copies to be equal: the primary's heartbeat is a write every three seconds


class MysqlSubject(Subject):
    """The ledger and its sampler, and registers, lists and transactions beside it."""

    addresses = (WRITER,)

    def __init__(self, lab: Lab) -> None:
        self.system: MysqlSet = MysqlSet(lab)
        self.counted = self.system
        self.first = 0
        self.servers: dict[int, str] = {}

    def load(self, directory: str) -> workload.Load:
        self.servers = _servers(self.system)
        self.first = time.time_ns() // 1_000_000
        load = self.system.load(directory)
        with load:
            argv = [self.system.writer, "--first", str(self.first)]
            load.recorders.append(workload.Recorder(self.system.lab, "transactions", argv, directory))
        return load

    def evidence(self, histories: Sequence[Sequence[str]], began: float, outages: Sequence[Outage]) -> Evidence:
        attempts, samples = parse_attempts(histories[0]), parse_samples(histories[1])
        operations = parse_operations(histories[2])
        ids = [one.id for one in attempts]
        rows = {node: frozenset(self.system.ids(node, min(ids), max(ids))) for node in self.system.lab.nodes}
        primary = self.system.primary()
        last = max([self.first, *(max(one.key, one.new) for one in operations)]) + 1
        finals = {node: self._final(node, last) for node in self.system.lab.nodes}
        return Evidence(
            attempts=attempts,
            samples=samples,
            sampled=self.system.lab.nodes,
            rows=rows,
            primary=primary,
            servers=incarnations({**self.servers, **_servers(self.system)}, {one.server for one in attempts}),
            operations=operations,
            final=finals[primary],
            gtids=gtids(self.system),
            copies_differ=[f"{node} (registers)" for node, one in finals.items() if one != finals[primary]],
        )

    def _final(self, node: str, last: int) -> Final:
        url = self.system.readers[node]
        asked = ["python3", "-m", "backstay_lab.clients.transactions", url, "--final", str(self.first), str(last)]
        found: dict[str, dict[str, Any]] = json.loads(self.system.lab.run(CLIENT, asked).out)
        return Final(**{name: {int(key): value for key, value in one.items()} for name, one in found.items()})


def incarnations(known: Mapping[int, str], seen: Collection[int | None]) -> dict[int, str]:
    """Node of each server id: of those that are known, and of those that were seen and are of a server that is known, which had
    another before and has another since (decision 4)."""
    found = dict(known)
    for server in {one for one in seen if one is not None} - set(known):
        for one, node in known.items():
            if same_node(one, server):
                found[server] = node
    return found


def _servers(mysql: MysqlSet) -> dict[int, str]:
    """@@server_id -> node, of those that answer."""
    answers = mysql.sql("SELECT @@server_id", *mysql.readers.values())
    return {int(rows[0][0]): node for node, rows in zip(mysql.readers, answers) if rows}


def gtids(mysql: MysqlSet) -> dict[str, str]:
    """Once they are equal; as they were last, when they do not become so."""
    found: dict[str, str] = {}

    def equal() -> bool:
        nonlocal found
        found = {node: _gtid(mysql, node) for node in mysql.lab.nodes}
        return len(set(found.values())) == 1

    try:
        poll(equal, Deadline(EQUAL), "equal histories", interval=0.3)
    except TimedOut:
        return found  # which is a finding
    return found


def _gtid(mysql: MysqlSet, node: str) -> str:
    said = mysql.root(node, "SHOW GLOBAL VARIABLES LIKE 'gtid%'").splitlines()
    values = dict(line.partition("\t")[::2] for line in said)
    if "gtid_executed" in values:
        return str(MysqlHistory.parse(values["gtid_executed"].replace("\\n", "")))
    return str(MariadbHistory.parse(values["gtid_binlog_state"], values["gtid_slave_pos"]))


def parse_operations(lines: Sequence[str]) -> list[Operation]:
    """From the JSON lines of clients.transactions. Raises ValueError for anything else."""
    records = [json.loads(line) for line in lines if line.strip()]
    return [Operation(**{**one, "values": tuple(one.get("values", ()))}) for one in records]
