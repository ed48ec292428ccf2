"""The services of a control plane together, seen from outside: nova's boot flow goes through all of them."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError
from backstay_lab.checkers import boots
from backstay_lab.checkers.history import FAIL, OK, Attempt, Instance, parse_boots, parse_finals
from backstay_lab.clients import application, workload
from backstay_lab.machines import packages
from backstay_lab.systems.haproxy.balancer import Balancer
from backstay_lab.systems.mysql.workload import MysqlSet
from backstay_lab.systems.rabbitmq.workload import RabbitSet
from backstay_lab.systems.system import System

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backstay.cluster.model import Cluster
    from backstay_lab.checkers.messages import Outage
    from backstay_lab.machines.cluster import Lab
    from backstay_lab.nemesis.fault import Inflicted
    from backstay_lab.systems.system import Verdict

TOPICS = re.compile(r"(scheduler|compute)(\.\w+)?")  # the queues that boots go through, without answers and fanouts


class BootLoad(workload.Load):
    """A boot is acknowledged when its caller has read from a replica that the instance is active: the whole way counts."""

    def attempts_of(self, lines: list[str]) -> list[Attempt]:
        return [
            Attempt(one.caller, one.id, one.begun, one.ended, OK if one.state == boots.ACTIVE else FAIL)
            for one in sorted(parse_boots(lines), key=lambda boot: boot.ended or 0.0)
            if one.ended is not None
        ]


class ControlPlane(System):
    """`mysql`, `rabbitmq` and `haproxy` are its parts. It has no leader of its own: a fault hits the leader of a part."""

    name = "openstack"

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.mysql, self.rabbitmq, self.haproxy = MysqlSet(lab), RabbitSet(lab, TOPICS), Balancer(lab)

    @property
    def parts(self) -> dict[str, System]:
        return {part.name: part for part in (self.mysql, self.haproxy, self.rabbitmq)}

    def leader(self) -> str:
        raise AgentError("a control plane has no leader, its services have")

    def flaw(self, seen: Cluster | None) -> str:
        for name, part in self.parts.items():
            said = part.flaw(seen)
            if said:
                return f"{name}: {said}"
        return ""

    def incomplete(self, seen: Cluster) -> str:
        return ""  # the parts say it

    def load(self, directory: str) -> workload.Load:
        """Four callers of the api, twenty boots a second, and the workers."""
        self.rabbitmq.clear(self.lab.nodes[0])
        path, oslo = packages.provide(self.lab), self.rabbitmq.oslo()
        first = ["--first", str(time.time_ns() // 1_000_000)]  # grows faster than ids are used
        writer, balancer = self.mysql.writer, str(self.lab.endpoints["balancer"])
        workers = workload.Recorder(self.lab, "bootworkers", [writer, *oslo], directory, path)
        api = workload.Recorder(self.lab, "bootapi", [writer, balancer, *oslo, *first], directory, path)
        with workload.Load([api, workers]):
            poll(lambda: api.lines() or None, Deadline(application.START_TIMEOUT), "the first boot", interval=0.2)
        return BootLoad([api, workers])

    def application(self, directory: str) -> application.Application:
        return application.of_all(self.lab, self.mysql.writer, self.rabbitmq.oslo(), directory)

    def judge(self, histories: Sequence[Sequence[str]], fault: Inflicted) -> Verdict:
        return self.verdict(histories)

    def verdict(self, histories: Sequence[Sequence[str]], outages: Sequence[Outage] = ()) -> boots.Boots:
        """Against the rows on the primary; that the replicas hold the same ones is part of it. outages: when all brokers were
        lost, if they were."""
        asked, finals = parse_boots(histories[0]), parse_finals(histories[1])
        numbers = [boot.id for boot in asked]
        held = {node: self._instances(node, min(numbers), max(numbers)) for node in self.lab.nodes}
        present = held[self.mysql.primary()]
        differ = sorted(node for node in self.lab.nodes if held[node] != present)
        return boots.judge(asked, finals, present, outages)._replace(copies_differ=differ)

    def _instances(self, node: str, first: int, last: int) -> list[Instance]:
        """The rows on a node's server, with their log, in the order of their ids. Raises AgentError: it does not answer."""
        between = f"BETWEEN {first:d} AND {last:d}"
        rows, events = (
            self.mysql.sql(sql, self.mysql.readers[node])[0]
            for sql in (
                f"SELECT id, vm_state FROM instances WHERE id {between} ORDER BY id",
                f"SELECT instance, vm_state FROM instance_events WHERE instance {between} ORDER BY id",
            )
        )
        if rows is None or events is None:
            raise AgentError(f"the server on {node} does not answer")
        log: dict[int, list[str]] = {}
        for number, state in events:
            log.setdefault(number, []).append(state)
        found = {number: Instance(number, state, tuple(log.pop(number, ()))) for number, state in rows}
        without_row = [Instance(number, "", tuple(states)) for number, states in log.items()]
        return [*found.values(), *without_row]
