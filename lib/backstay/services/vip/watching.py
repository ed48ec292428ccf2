"""What the watcher is to know of an address: it has no process, so what is watched is one start of it."""

from __future__ import annotations

from backstay.ocf.errors import AgentError
from backstay.services.vip.context import VipContext
from backstay.services.vip.defence import Defence
from backstay.services.vip.look import look
from backstay.services.vip.namespace import Inside
from backstay.services.vip.prober import Changes, VipProber
from backstay.services.vip.rtnetlink import Link
from backstay.services.vip.start_note import Record
from backstay.services.vip.take import router
from backstay.watch.target import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.watch.target import Events, Prober


class VipTarget(Target):
    context_class = VipContext
    context: VipContext

    _defence: Defence | None = None  # while the address is held

    def prober(self) -> Prober:
        nic, prefix = Record(self.context.state_directory()).read()
        return VipProber(lambda: look(self.context, nic, prefix), self._tend)

    def look_every(self) -> float:
        return 5.0

    def events(self) -> Events:
        with Inside(self.context.parameters.namespace()):
            self._defence = self._defended()
            return Changes(self.context.parameters.address(), self._defence)

    def _tend(self) -> None:
        if self._defence:
            with Inside(self.context.parameters.namespace()):
                self._defence.tend()

    def _defended(self) -> Defence | None:
        """None where there are no neighbours, or nobody can be heard."""
        context = self.context
        interface = Link().interface(Record(context.state_directory()).read()[0])
        if not interface or not interface.ethernet:
            return None
        address = context.parameters.address()
        try:
            answers = context.parameters.check_duplicate  # else others may speak for the address
            return Defence(address, interface, router(address, interface), answers, context.log)
        except (OSError, AgentError) as error:
            context.log.warning(f"claims of other hosts to {address.text} go unheard: {error}")
            return None
