"""What a campaign asks of a system beyond a rehearsal: its load, and the evidence in the end."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from backstay_lab.checkers.evidence import Promotion
from backstay_lab.machines import timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backstay_lab.checkers.evidence import Evidence
    from backstay_lab.checkers.messages import Outage
    from backstay_lab.clients.workload import Load
    from backstay_lab.systems.system import System

SETTLE = 120.0  # seconds for the cluster to have nothing under way


class Subject(ABC):
    """A system under a campaign. counted: the one whose promotions are; where there is none, the role is a lease that moves as
    it likes. addresses: those that are to be on one node at most."""

    system: System
    counted: System | None
    addresses: Sequence[str] = ()

    @abstractmethod
    def load(self, directory: str) -> Load:
        """Start the workload; its histories go to the directory."""

    @abstractmethod
    def evidence(self, histories: Sequence[Sequence[str]], began: float, outages: Sequence[Outage]) -> Evidence:
        """What there is to judge, but for what the runner knows itself. outages: when all servers may have been lost at
        once. Raises AgentError when the system does not answer."""

    def clean_up(self) -> None:
        """What an admin does about failures that he has looked at, once nothing is under way any more: an operation that
        has just begun when Pacemaker is told to forget never ends for it. Then he looks again: the failure of an action that was
        pending when its executor died may be recorded only now (seen with a fence device's monitor)."""
        lab = self.system.lab
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
