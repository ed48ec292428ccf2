"""What the watcher is to know of HAProxy."""

from __future__ import annotations

from backstay.services.haproxy.context import HaproxyContext
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
