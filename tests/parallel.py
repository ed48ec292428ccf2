"""How workers share the tests (`pytest -n 3`, with python3-pytest-xdist), as `make test` has it.

Tests begin in the order in which they were collected, so tier after tier. The fast ones go to a worker file by file; those of a
chamber one by one, for there are long ones, and they wait more than they compute. A lab has the machine for itself: what needs it
comes last, all on one worker, and begins when nothing else runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xdist.scheduler.loadscope import LoadScopeScheduling

ALONE = "alone"  # the unit of all tests that need the machine for themselves


class TierScheduling(LoadScopeScheduling):
    """unit_of: the id of a test -> the name of the unit that it is given to a worker with."""

    def __init__(self, config: Any, log: Any, unit_of: Callable[[str], str]) -> None:
        config.option.loadscopereorder = False  # xdist begins with the largest unit otherwise, from 3.7 on
        super().__init__(config, log)
        self._split_scope = unit_of

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        super().mark_test_complete(node, item_index, duration)
        for each in self.nodes:
            if each is not node:
                self._reschedule(each)  # it may have waited for this one

    def _reschedule(self, node: Any) -> None:
        others = [each for each in self.nodes if each is not node]
        if node.shutting_down or not self._alone_is_next():
            super()._reschedule(node)
        elif self._pending_of(self.assigned_work[node]) <= 2 and any(not each.shutting_down for each in others):
            node.shutdown()  # once it has run what it was given
        elif not any(self._pending_of(self.assigned_work[each]) for each in others):
            super()._reschedule(node)

    def _assign_work_unit(self, node: Any) -> None:
        # At the beginning each worker is given a unit unasked.
        if not self._alone_is_next() or all(each is node or each.shutting_down for each in self.nodes):
            super()._assign_work_unit(node)

    def _alone_is_next(self) -> bool:
        return next(iter(self.workqueue), "") == ALONE
