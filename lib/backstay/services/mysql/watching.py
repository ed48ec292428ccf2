"""What the watcher needs to know of a server: how to ask it, and what to do when the writer address moved."""

from __future__ import annotations

from backstay.services.mysql import holding
from backstay.services.mysql.context import MysqlContext
from backstay.services.mysql.prober import MysqlProber
from backstay.watch.target import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.watch.target import Prober


class MysqlTarget(Target):
    context_class = MysqlContext
    context: MysqlContext

    def prober(self) -> Prober:
        return MysqlProber(self.context)

    def patience(self) -> float:
        return self.context.parameters.probe_timeout

    def prepare(self) -> None:
        holding.prepare(self.context)

    def unserved(self) -> None:
        holding.hold(self.context)

    def watched_address(self) -> str:
        return self.context.parameters.writer_address

    def address_moved(self) -> None:
        """See repoint.follow."""
        from backstay.services.mysql import repoint

        repoint.follow(self.context)
