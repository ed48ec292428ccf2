"""What a campaign asks of a service beyond a rehearsal: its load, and the evidence in the end."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import TimedOut
from backstay.services.mysql.daemon import same_node
from backstay.services.mysql.gtid import MariadbHistory, MysqlHistory
from backstay_lab.checkers.evidence import Evidence, Promotion
from backstay_lab.checkers.history import parse_attempts, parse_samples
from backstay_lab.checkers.registers import Final, Operation
from backstay_lab.clients import workload
from backstay_lab.machines import timeline
from backstay_lab.machines.layout import CLIENT
from backstay_lab.systems.mysql.deploy import WRITER
from backstay_lab.systems.mysql.workload import MysqlSet
from backstay_lab.systems.openstack.workload import ControlPlane
from backstay_lab.systems.rabbitmq.workload import RabbitSet
from backstay_lab.systems.readers.deploy import BALANCER, READERS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from backstay_lab.checkers.messages import Outage
    from backstay_lab.machines.cluster import Lab
    from backstay_lab.systems.system import Service

SETTLE = 120.0  # seconds for the cluster to have nothing under way
EQUAL = 15.0  # seconds for the copies to be equal: the primary's heartbeat is a write every three seconds


class Subject(ABC):
    """A service under a campaign. counted: the one whose promotions are; where there is none, the role is a lease that moves as
    it likes. addresses: those that are to be on one node at most."""

    service: Service
    counted: Service | None
    addresses: Sequence[str] = ()

    @abstractmethod
    def load(self, directory: str) -> workload.Load:
        """Start the workload; its histories go to the directory."""

    @abstractmethod
    def evidence(self, histories: Sequence[Sequence[str]], began: float, outages: Sequence[Outage]) -> Evidence:
        """What there is to judge, but for what the runner knows itself. outages: when all servers may have been lost at
        once. Raises AgentError when the service does not answer."""

    def clean_up(self) -> None:
        """What an admin does about failures that he has looked at, once nothing is under way any more: an operation that
        has just begun when Pacemaker is told to forget never ends for it. Then he looks again: the failure of an action that was
        pending when its executor died may be recorded only now (seen with a fence device's monitor)."""
        lab = self.service.lab
        for _ in range(2):
            asked = sorted(lab.online())[0]
            lab.run(asked, ["crm_resource", "--wait", f"--timeout={SETTLE:.0f}s"], timeout=SETTLE + 10, check=False)
            lab.run(asked, ["crm_resource", "--cleanup"])

    def promotions(self, lines: Sequence[str], first: str, offset: float) -> list[Promotion]:
        """From the nodes' logs; `first` led before. offset: of the wall clock to the monotonic one."""
        if self.counted is None:
            return []
        told = timeline.promotions(lines, self.counted.name, time.time())
        return [Promotion(first, float("-inf")), *(Promotion(node, at - offset) for node, at in told)]


class MysqlSubject(Subject):
    """The ledger and its sampler, and registers, lists and transactions beside it."""

    addresses = (WRITER,)

    def __init__(self, lab: Lab) -> None:
        self.service: MysqlSet = MysqlSet(lab)
        self.counted = self.service
        self.first = 0
        self.servers: dict[int, str] = {}

    def load(self, directory: str) -> workload.Load:
        self.servers = _servers(self.service)
        self.first = time.time_ns() // 1_000_000
        load = self.service.load(directory)
        with load:
            argv = [self.service.writer, "--first", str(self.first)]
            load.recorders.append(workload.Recorder(self.service.lab, "transactions", argv, directory))
        return load

    def evidence(self, histories: Sequence[Sequence[str]], began: float, outages: Sequence[Outage]) -> Evidence:
        attempts, samples = parse_attempts(histories[0]), parse_samples(histories[1])
        operations = parse_operations(histories[2])
        ids = [one.id for one in attempts]
        rows = {node: frozenset(self.service.ids(node, min(ids), max(ids))) for node in self.service.lab.nodes}
        primary = self.service.primary()
        last = max([self.first, *(max(one.key, one.new) for one in operations)]) + 1
        finals = {node: self._final(node, last) for node in self.service.lab.nodes}
        return Evidence(
            attempts=attempts,
            samples=samples,
            sampled=self.service.lab.nodes,
            rows=rows,
            primary=primary,
            servers=incarnations({**self.servers, **_servers(self.service)}, {one.server for one in attempts}),
            operations=operations,
            final=finals[primary],
            gtids=_gtids(self.service),
            copies_differ=[f"{node} (registers)" for node, one in finals.items() if one != finals[primary]],
        )

    def _final(self, node: str, last: int) -> Final:
        url = self.service.readers[node]
        asked = ["python3", "-m", "backstay_lab.clients.transactions", url, "--final", str(self.first), str(last)]
        found: dict[str, dict[str, Any]] = json.loads(self.service.lab.run(CLIENT, asked).out)
        return Final(**{name: {int(key): value for key, value in one.items()} for name, one in found.items()})


class RabbitSubject(Subject):
    """Publishers, consumers and remote procedure calls, as a rehearsal has them."""

    counted = None

    def __init__(self, lab: Lab) -> None:
        self.service: RabbitSet = RabbitSet(lab)

    def load(self, directory: str) -> workload.Load:
        return self.service.load(directory)

    def evidence(self, histories: Sequence[Sequence[str]], began: float, outages: Sequence[Outage]) -> Evidence:
        """Its attempts are no evidence of their own: any node may confirm, so the rules over servers are not for them."""
        return Evidence(primary=self.service.leader(), messages=self.service.verdict(histories, began, outages))

    def clean_up(self) -> None:
        _await_brokers(self.service)
        super().clean_up()


class PlaneSubject(Subject):
    """Nova's boot flow through all services, and samples of every database server. The primary is what is counted."""

    addresses = (WRITER, BALANCER, *READERS)

    def __init__(self, lab: Lab) -> None:
        self.service: ControlPlane = ControlPlane(lab)
        self.counted: MysqlSet = self.service.mysql

    def load(self, directory: str) -> workload.Load:
        load = self.service.load(directory)
        with load:
            servers = [f"{node}={url}" for node, url in self.counted.readers.items()]
            load.recorders.append(workload.Recorder(self.service.lab, "sampler", servers, directory))
        return load

    def evidence(self, histories: Sequence[Sequence[str]], began: float, outages: Sequence[Outage]) -> Evidence:
        """A boot is acknowledged by no one server: the rules over those are not for it."""
        verdict = self.service.verdict(histories, outages)
        return Evidence(
            samples=parse_samples(histories[2]),
            sampled=self.service.lab.nodes,
            primary=self.counted.primary(),
            gtids=_gtids(self.counted),
            copies_differ=[f"{node} (instances)" for node in verdict.copies_differ],
            boots=verdict,
        )

    def clean_up(self) -> None:
        _await_brokers(self.service.rabbitmq)
        super().clean_up()


SUBJECTS: dict[str, Callable[[Lab], Subject]] = {
    "mysql": MysqlSubject,
    "rabbitmq": RabbitSubject,
    "openstack": PlaneSubject,
}


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


def _gtids(mysql: MysqlSet) -> dict[str, str]:
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


def _await_brokers(rabbitmq: RabbitSet) -> None:
    """Brokers return with their data by themselves, and are then busy for some seconds."""

    def serving() -> bool:
        return all(rabbitmq.serves(node) for node in rabbitmq.lab.nodes)

    with suppress(TimedOut):  # what keeps one down may be the failure that is to be forgotten
        poll(serving, Deadline(SETTLE), "all brokers to serve", interval=1.0)


def parse_operations(lines: Sequence[str]) -> list[Operation]:
    """From the JSON lines of rehearse.transactions. Raises ValueError for anything else."""
    records = [json.loads(line) for line in lines if line.strip()]
    return [Operation(**{**one, "values": tuple(one.get("values", ()))}) for one in records]
