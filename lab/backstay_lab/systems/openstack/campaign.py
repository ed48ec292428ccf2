"""A control plane under a campaign: its load, and the evidence in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay_lab.checkers.evidence import Evidence
from backstay_lab.checkers.history import parse_samples
from backstay_lab.clients import workload
from backstay_lab.systems.mysql.campaign import gtids
from backstay_lab.systems.mysql.deploy import WRITER
from backstay_lab.systems.openstack.workload import ControlPlane
from backstay_lab.systems.rabbitmq.campaign import await_brokers
from backstay_lab.systems.readers.deploy import BALANCER, READERS
from backstay_lab.systems.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backstay_lab.checkers.messages import Outage
    from backstay_lab.machines.cluster import Lab
    from backstay_lab.systems.mysql.workload import MysqlSet


class PlaneSubject(Subject):
    """Nova's boot flow through all systems, and samples of every database server. The primary is what is counted."""

    addresses = (WRITER, BALANCER, *READERS)

    def __init__(self, lab: Lab) -> None:
        self.system: ControlPlane = ControlPlane(lab)
        self.counted: MysqlSet = self.system.mysql

    def load(self, directory: str) -> workload.Load:
        load = self.system.load(directory)
        with load:
            servers = [f"{node}={url}" for node, url in self.counted.readers.items()]
            load.recorders.append(workload.Recorder(self.system.lab, "sampler", servers, directory))
        return load

    def evidence(self, histories: Sequence[Sequence[str]], began: float, outages: Sequence[Outage]) -> Evidence:
        """A boot is acknowledged by no one server: the rules over those are not for it."""
        verdict = self.system.verdict(histories, outages)
        return Evidence(
            samples=parse_samples(histories[2]),
            sampled=self.system.lab.nodes,
            primary=self.counted.primary(),
            gtids=gtids(self.counted),
            copies_differ=[f"{node} (instances)" for node in verdict.copies_differ],
            boots=verdict,
        )

    def clean_up(self) -> None:
        await_brokers(self.system.rabbitmq)
        super().clean_up()
