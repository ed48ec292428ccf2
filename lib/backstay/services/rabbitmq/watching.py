"""What the watcher needs to know of a broker."""

from __future__ import annotations

from backstay.services.rabbitmq.context import RabbitmqContext
from backstay.services.rabbitmq.prober import RabbitmqProber
from backstay.watch.target import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.watch.target import Prober


class RabbitmqTarget(Target):
    context_class = RabbitmqContext
    context: RabbitmqContext

    def prober(self) -> Prober:
        return RabbitmqProber(self.context)

    def patience(self) -> float:
        return self.context.parameters.probe_timeout * self.context.parameters.silences
