"""HAProxy alone, in front of a server that gives back lines: what connections through its address go through."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay_lab.checkers import writes
from backstay_lab.checkers.history import parse_attempts
from backstay_lab.clients import workload
from backstay_lab.systems.haproxy import deploy
from backstay_lab.systems.haproxy.balancer import Balancer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backstay.cluster.model import Cluster
    from backstay_lab.checkers.history import Attempt
    from backstay_lab.nemesis.fault import Inflicted

RELOAD_TIMEOUT = 60.0  # seconds until a changed configuration is in effect


class Balanced(Balancer):
    """Its leader is the node that has its address."""

    options = ""  # lines for the section global of the configuration

    def incomplete(self, seen: Cluster) -> str:
        return "" if deploy.answers(self.lab, deploy.PORT) else "no line comes back through the address"

    def reload(self) -> None:
        """Change the configuration everywhere, as an admin does; returns when what is new in it serves."""
        port = 7100 + time.time_ns() // 10**9 % 800  # another one each time
        text = deploy.configuration(port, self.options)
        for node in self.lab.nodes:
            self.lab.put(node, deploy.CONFIG, text)
        self.load_changes(str(port))
        poll(
            lambda: deploy.answers(self.lab, port),
            Deadline(RELOAD_TIMEOUT),
            "the new configuration to serve",
            interval=0.2,
        )

    def load_changes(self, serial: str) -> None:
        """Have the changed configuration loaded; `serial` differs from the last."""
        change = ["crm_resource", "--resource", self.name, "--set-parameter", "config_serial"]
        self.lab.run(self.lab.nodes[0], [*change, "--parameter-value", serial])

    def load(self, directory: str) -> workload.Load:
        """Two hundred new connections a second through the address, and four that are kept."""
        arguments = [deploy.ADDRESS, str(deploy.PORT)]
        return workload.Load([workload.Recorder(self.lab, "connections", arguments, directory)])

    def gap(self, attempts: Sequence[Attempt], fault: float) -> float:
        """Of new connections alone: kept ones go on while new ones are refused."""
        return writes.write_gap([one for one in attempts if one.writer == 0], fault).seconds

    def judge(self, histories: Sequence[Sequence[str]], fault: Inflicted) -> writes.Connections:
        return writes.judge_connections(parse_attempts(histories[0]))
