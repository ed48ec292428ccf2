"""What the watcher is to know of HAProxy."""

from __future__ import annotations

from backstay.services.haproxy import holding
from backstay.services.haproxy.context import HaproxyContext
from backstay.services.haproxy.daemon import PROMOTED
from backstay.services.haproxy.prober import HaproxyProber
from backstay.watch.target import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.watch.target import Prober


class HaproxyTarget(Target):
    context_class = HaproxyContext
    context: HaproxyContext

    def prober(self) -> Prober:
        return HaproxyProber(self.context.layout().socket)

    def patience(self) -> float:
        return self.context.parameters.probe_timeout

    def prepare(self) -> None:
        holding.prepare(self.context)

    def unserved(self) -> None:
        if self._serves():
            holding.hold(self.context)

    def _serves(self) -> bool:
        """Of a promotable clone the promoted one alone serves clients."""
        return not self.context.invocation.promotable or bool(self.context.state.read(PROMOTED))
