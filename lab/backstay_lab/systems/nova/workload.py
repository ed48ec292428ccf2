"""OpenStack on a control plane, seen from outside: callers boot servers, and nova's databases tell what became of them."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import TimedOut
from backstay_lab.checkers import builds
from backstay_lab.checkers.boots import ACTIVE
from backstay_lab.checkers.builds import NAME, Server
from backstay_lab.checkers.history import parse_boots
from backstay_lab.clients import application, workload
from backstay_lab.systems.nova import deploy
from backstay_lab.systems.openstack.workload import BootLoad, ControlPlane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backstay.cluster.model import Cluster
    from backstay_lab.checkers.history import Operation
    from backstay_lab.machines.cluster import Lab
    from backstay_lab.nemesis.fault import Inflicted

READ = ("keystone", "nova", "placement", "glance")  # as clients.apireads names them
EXPIRY = 210.0  # seconds for nova to end a boot by itself: instance_build_timeout, and its look every minute
FIRST = 300.0  # seconds for the first boot to end; 5 at rest, 110 seen on a machine far too busy
IN_CELL = """
SELECT SUBSTRING(display_name, {skip}), '{cell}', vm_state, IFNULL(host, ''), IFNULL(task_state, ''), IFNULL((
    SELECT message FROM {database}.instance_faults f WHERE f.instance_uuid = i.uuid ORDER BY f.id DESC LIMIT 1), '')
FROM {database}.instances i
WHERE deleted = 0 AND CAST(SUBSTRING(display_name, {skip}) AS UNSIGNED) BETWEEN {first} AND {last};
"""
STORED = """
SELECT SUBSTRING(REGEXP_SUBSTR(instance, '{name}[0-9]+'), {skip}), '', 'building', '', '', '' FROM nova_api.build_requests
WHERE CAST(SUBSTRING(REGEXP_SUBSTR(instance, '{name}[0-9]+'), {skip}) AS UNSIGNED) BETWEEN {first} AND {last};
"""


class OpenStack(ControlPlane):
    """Its parts are those of the plane; OpenStack's own services are on the client, where no fault hits them."""

    name = "nova"

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.cloud = str(lab.endpoints["keystone"])

    def flaw(self, seen: Cluster | None) -> str:
        said = super().flaw(seen)
        ended = [] if said else deploy.missing(self.lab)
        return f"{', '.join(ended)} ended on the client" if ended else said

    def load(self, directory: str) -> workload.Load:
        """A boot every four seconds, whatever became of the one before. Returns once one is active."""
        first = ["--first", str(int(time.time() * 10))]  # grows faster than numbers are used
        boots, seen = workload.Recorder(self.lab, "novaboots", [self.cloud, *first], directory), list[str]()

        def boots_end() -> bool:
            seen.extend(boots.lines())
            return any(one.state == ACTIVE for one in parse_boots(seen))

        with workload.Load([boots]):
            poll(boots_end, Deadline(FIRST), "the first boot", interval=0.5)
        return BootLoad([boots])

    def application(self, directory: str) -> application.Application:
        """Boots until nova's answer, and questions to each service."""
        reads = workload.Recorder(self.lab, "apireads", [self.cloud], directory)
        asked: dict[str, tuple[str, application.Reader]] = {
            "boots": (os.path.join(directory, "novaboots.jsonl"), _boots),
            **{service: (reads.path, partial(builds.reads_of, service)) for service in READ},
        }
        with application.Application([reads], asked) as counted:
            poll(lambda: reads.lines() or None, Deadline(application.START_TIMEOUT), "the first answer", interval=0.2)
        return counted

    def judge(self, histories: Sequence[Sequence[str]], fault: Inflicted) -> builds.Builds:
        """Against nova's databases on the primary, once nova has had the time to give up what does not end; that the replicas
        hold the same is part of it."""
        asked = parse_boots(histories[0])
        numbers = [boot.id for boot in asked]
        first, last = min(numbers), max(numbers)
        primary = self.mysql.primary()

        def ended() -> bool:
            return not builds.open_still(asked, self.servers(primary, first, last))

        with suppress(TimedOut):  # the verdict has them
            poll(ended, Deadline(EXPIRY), "nova to end what is open", interval=1.0)

        def alike() -> bool:
            return not self._differing(primary, first, last)

        with suppress(TimedOut):  # and these
            poll(alike, Deadline(5), "the replicas to have the same", interval=0.5)
        found = builds.judge(asked, self.servers(primary, first, last))
        return found._replace(copies_differ=self._differing(primary, first, last))

    def _differing(self, primary: str, first: int, last: int) -> list[str]:
        """The nodes that hold other rows than the primary."""
        present = self.servers(primary, first, last)
        return [node for node in self.lab.nodes if node != primary and self.servers(node, first, last) != present]

    def servers(self, node: str, first: int, last: int) -> list[Server]:
        """The rows on a node's server, in the order of their numbers."""
        about = {"skip": len(NAME) + 1, "name": NAME, "first": first, "last": last}
        cells = {"nova_cell0": "cell0", "nova": "cell1"}
        sql = STORED.format(**about) + "".join(
            IN_CELL.format(**about, database=database, cell=cell) for database, cell in cells.items()
        )
        rows = [line.split("\t") for line in self.mysql.root(node, sql).splitlines()]
        return sorted(Server(int(number), *rest) for number, *rest in rows)


def _boots(lines: list[str]) -> list[Operation]:
    return builds.operations_of(parse_boots(lines))
