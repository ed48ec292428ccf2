"""The RabbitMQ cluster under a campaign: its load, and the evidence in the end."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import TimedOut
from backstay_lab.checkers.evidence import Evidence
from backstay_lab.systems.rabbitmq.workload import RabbitSet
from backstay_lab.systems.subject import SETTLE, Subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backstay_lab.checkers.messages import Outage
    from backstay_lab.clients.workload import Load
    from backstay_lab.machines.cluster import Lab


class RabbitSubject(Subject):
    """Publishers, consumers and remote procedure calls, as a rehearsal has them."""

    counted = None

    def __init__(self, lab: Lab) -> None:
        self.system: RabbitSet = RabbitSet(lab)

    def load(self, directory: str) -> Load:
        return self.system.load(directory)

    def evidence(self, histories: Sequence[Sequence[str]], began: float, outages: Sequence[Outage]) -> Evidence:
        """Its attempts are no evidence of their own: any node may confirm, so the rules over servers are not for them."""
        return Evidence(primary=self.system.leader(), messages=self.system.verdict(histories, began, outages))

    def clean_up(self) -> None:
        await_brokers(self.system)
        super().clean_up()


def await_brokers(rabbitmq: RabbitSet) -> None:
    """Brokers return with their data by themselves, and are then busy for some seconds."""

    def serving() -> bool:
        return all(rabbitmq.serves(node) for node in rabbitmq.lab.nodes)

    with suppress(TimedOut):  # what keeps one down may be the failure that is to be forgotten
        poll(serving, Deadline(SETTLE), "all brokers to serve", interval=1.0)
