"""ocf:backstay:vip: the actions. look.py says what the kernel shows, health.py what that means, take.py and release.py act.

Start resolves interface and prefix once and records them; monitor compares with the record and never parses routes.
As a primitive it holds the address while started. As a promotable clone it is a checked standby while unpromoted: it
has no daemon whose life would tell, so the record also says that it is started; /run is empty after a boot.
"""

from __future__ import annotations

from backstay.agent.dispatch import Agent
from backstay.ocf.codes import ExitCode, Role
from backstay.ocf.errors import AgentError, Misconfigured, MonitorFinding, WrongParameter
from backstay.ocf.parameters import action
from backstay.services.vip import health
from backstay.services.vip.context import VipContext
from backstay.services.vip.look import look
from backstay.services.vip.namespace import Inside
from backstay.services.vip.start_note import RIVAL, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_TARGET = "backstay.services.vip.watching:VipTarget"
_SCORE = 10  # of a standby that could hold the address; all nodes are equal, location constraints decide
_NOT_HERE = (health.ABSENT, health.DUPLICATE, health.INTERFACE_GONE, health.LINK_DOWN)
_WELL = (health.HELD, health.STANDBY, health.CONTESTED)  # any other node would find the same rival
_ALIVE = (ExitCode.SUCCESS, ExitCode.RUNNING_PROMOTED, ExitCode.DEGRADED_PROMOTED)


class Vip(Agent):
    context_class = VipContext
    context: VipContext

    @action(timeout=20)
    def start(self) -> None:
        """Take the address; as a promotable clone, get ready to."""
        if not self.context.invocation.promotable:
            self.promote()
            return
        with self._inside():
            self._release()
        self._write_note()
        self._score(able=True)

    @action(timeout=20)
    def stop(self) -> None:
        """Give the address up wherever it is on this node. Fine when it is not, or never could be."""
        self._quiet()
        try:
            with self._inside():
                self._release(leaving=True)
        except (Misconfigured, WrongParameter) as error:
            self.context.log.warning(f"nothing to remove: {error}")
        try:
            self._note().erase()
        except AgentError as error:
            # At worst a later probe takes this node for a standby. A failed stop would fence it.
            self.context.cannot_write(str(error))
        self._forget_rival()

    @action(timeout=20)
    def promote(self) -> None:
        if self._take():
            self._watch()

    @action(timeout=20)
    def demote(self) -> None:
        self._quiet()
        with self._inside():
            self._release(leaving=True)
        self._forget_rival()

    @action(timeout=20, interval=5)
    @action(timeout=20, interval=6, role=Role.PROMOTED)
    @action(timeout=20, interval=11, role=Role.UNPROMOTED)
    def monitor(self) -> ExitCode:
        """One look at the kernel's addresses. A probe only asks whether the address is here."""
        clone, probe = self.context.invocation.promotable, self.context.invocation.is_probe
        promoted = self.context.invocation.role == Role.PROMOTED.value
        nic, prefix = self._note().read()
        started = bool(nic)
        verdict = look(self.context, nic, prefix, standby=clone and started and not promoted)
        if verdict.finding == health.ABSENT and started and not probe and self.context.state.has(RIVAL):
            verdict = self._try_again(nic, prefix)
        if probe and clone and started and verdict.finding in _NOT_HERE:
            return ExitCode.SUCCESS  # a standby; what ails it is for the first recurring monitor
        code = health.exit_code(verdict.finding, clone, probe, promoted)
        if clone and not probe and started:
            self._score(able=verdict.finding in _WELL)
        if verdict.finding == health.HELD and not probe:
            if not started:
                self._note_again()
            self._watch()
        if clone and not probe and code in _ALIVE:
            return self.alive(code is not ExitCode.SUCCESS, verdict.reason)
        if verdict.reason and not probe:
            raise MonitorFinding(verdict.reason, code)
        return code

    @action(timeout=20)
    def reload_agent(self) -> None:
        """The reloadable parameters are read by every action, so there is nothing to do but to check them, which main
        has done."""

    def check_host(self) -> None:
        from backstay.services.vip.place import find_place
        from backstay.services.vip.rtnetlink import Link

        with self._inside():
            find_place(self.context, Link(), usable=False)

    def _take(self) -> bool:
        """False when another host has the address: it is waited for. To fail here would have the cluster try node after node,
        and what goes with the address, such as the primary, would go round with it, while every node finds the same rival."""
        from backstay.services.vip.take import Contested, take

        try:
            with self._inside():
                self._take_home(take)
        except Contested as error:
            if self.context.state.read(RIVAL) != error.rival:
                self.context.log.warning(f"{error}; it is taken once it is free")
            self._note().write(error.place.interface.name, error.place.prefix)
            self.context.state.write(RIVAL, error.rival)
            # An attribute, since a plain instance counts as started, and the commands must not take the address for being here.
            self.publish(look(self.context, *self._note().read(), rival=error.rival).reason)
            return False
        self._forget_rival()
        return True

    def _take_home(self, take: Callable[[VipContext], None]) -> None:
        """At home, or for one that is lost. What fails is followed by a stop."""
        if not self.context.parameters.home:
            take(self.context)
            return
        from backstay.services.vip import home

        home.settle(self.context)
        take(self.context)
        home.tell(self.context)

    def _forget_rival(self) -> None:
        if self.context.state.has(RIVAL):
            self.publish("")
            self.context.state.remove(RIVAL)

    def _try_again(self, nic: str, prefix: int | None) -> health.Verdict:
        self._take()
        return look(self.context, nic, prefix, rival=self.context.state.read(RIVAL))

    def _identity(self) -> tuple[int, str]:
        """Of what is watched: there is no process, so the start tells one life of the address from the next."""
        return 0, self._note().identity()

    def _note_again(self) -> None:
        """The record was wiped while the address is held: without it the watcher has nothing to tell this start by."""
        from backstay.services.vip.rtnetlink import Link

        try:
            with self._inside():
                link = Link()
                copies = link.copies(self.context.parameters.address(), self.context.parameters.nic)
                interface = link.interface(index=copies[0].index) if copies else None
            if interface:
                self._note().write(
                    interface.name, copies[0].prefix
                )  # where it is: the look has found nothing wrong with that
        except AgentError as error:
            self.context.cannot_write(str(error))

    def _write_note(self) -> None:
        from backstay.services.vip.place import wait_for_place
        from backstay.services.vip.rtnetlink import Link

        with self._inside():
            place = wait_for_place(self.context, Link())
        self._note().write(place.interface.name, place.prefix)

    def _release(self, leaving: bool = False) -> None:
        """leaving: clients may still come for it, and it is to be held elsewhere."""
        from backstay.services.vip.release import release

        given, after = self.context.parameters, None
        if leaving:
            from backstay.services.vip.tcp_reject import After

            after = After(given.hold_for if given.on_loss == "hold" else 0, given.refuse_for, self._tell)
        release(given.address(), self.context.log, after, given.nic or self._note().read()[0])
        if given.home:
            from backstay.services.vip import home

            home.leave(self.context)

    def _tell(self, *numbers: int) -> None:
        from backstay.agent import held

        held.tell(self.context, *numbers)

    def _watch(self) -> None:
        from backstay.watch import client

        client.watch(self.context, _TARGET, *self._identity())

    def _quiet(self) -> None:
        from backstay.watch import client

        client.quiet(self.context, *self._identity())

    def _score(self, able: bool) -> None:
        """Without a score the cluster promotes nobody; a cluster that takes none must not fail the action."""
        from backstay.cluster.attributes import NEVER

        try:
            self.context.pacemaker.set_promotion_score(_SCORE if able else NEVER)
        except AgentError as error:
            self.context.log.warning(f"promotion score not set: {error}")

    def _inside(self) -> Inside:
        return Inside(self.context.parameters.namespace())

    def _note(self) -> Record:
        return Record(self.context.state_directory())


AGENT = Vip
