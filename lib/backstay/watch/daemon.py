"""The watcher's process; client.py says what it sees and for whom. It lives as long as the daemon, wakes once a second and
loads little. What needs SQL or XML runs in a child, or only when the watcher has something to tell."""

import fcntl
import os
import select
import time

from backstay.cluster import daemons
from backstay.host.deadline import Deadline, poll
from backstay.host.fork import Child
from backstay.host.process import no_core, start_time
from backstay.host.state_files import Files, private, stamp
from backstay.ocf.errors import AgentError, TimedOut
from backstay.watch import notes
from backstay.watch.liveness import Finding, Heard, judge
from backstay.watch.reuse import LAST_LOOK
from backstay.watch.target import ADRIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Optional

    from backstay.cluster.pacemaker import Pacemaker
    from backstay.host.neighbor_table import Neighbour
    from backstay.watch.target import Prober, Target

_EVERY = 1.0  # seconds between looks
_LOOKS = 3  # each look may take this fraction of the agent's patience
_TAKEOVER = 5.0  # seconds for the watcher of the process before to end
_TELL = 15.0  # seconds for telling the cluster
_OFTEN, _WITHIN = 10, 60.0  # silence is told that many times within so many seconds, then it is left to the monitor
_RECONSIDER = 10.0  # seconds until silence that was not told, as in maintenance, is looked at again
# Seconds after the controller's end at which attributes are sent again. They leave the CIB at once, and may once more when the
# next coordinator's CIB becomes everyone's, until this node has joined it; that takes a second, and longer under load.
_SEND_AGAIN = (0.2, 0.6, 1.2, 2.0, 4.0)


def main(target_class: "type[Target]", argv: "list[str]") -> int:
    """Watch until the process ends. The environment is that of the agent's action that started this."""
    from backstay.ocf.invocation import Invocation

    no_core()
    context = target_class.context_class(Invocation("watch", os.environ))
    try:
        context.settle_parameters(strict=False)
        return _main(target_class(context), int(argv[2]), argv[3])
    except OSError as error:
        context.log.error(f"the watcher ends: {error}")  # /run is full, read-only or gone
        return 1
    except Exception:  # the monitor finds it gone; why, only this can say
        import traceback

        context.log.error(f"the watcher ends: {traceback.format_exc()}")
        raise


def _main(target: "Target", pid: int, started: str) -> int:
    context = target.context
    with open(context.state.path(notes.LOCK), "a+", encoding="ascii", opener=private) as lock:
        try:
            poll(lambda: _locked(lock.fileno()), Deadline(_TAKEOVER), "the watcher before")
        except TimedOut:
            return 0  # another watches
        lock.truncate(0)
        lock.write(f"{pid} {started} {os.getpid()} {start_time(os.getpid())} {context.installation()}\n")
        lock.flush()
        stamp(lock.fileno())
        watcher = Watcher(target, pid, started, os.fstat(lock.fileno()).st_ino)
        if pid == 0:
            watcher.stay(-1)
            return 0
        try:
            ended = os.pidfd_open(pid)
            if start_time(pid) == started and not watcher.stay(ended):
                return 0
        except ProcessLookupError:
            context.log.info(f"process {pid} is gone already")
        watcher.tell(f"process {pid} died")
    return 0


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Watcher:
    """Of one process of one resource."""

    def __init__(self, target: "Target", pid: int, started: str, lock: int) -> None:
        """lock: number of the file that this process holds locked."""
        self._target = target
        self._context = context = target.context
        self._lock = lock
        self._unwritten: list[str] = []
        self._pid = pid
        self._started = started
        self._files = Files(context.state_directory(), self._unwritten)
        self._prober = target.prober()
        self._look_for = target.patience() / _LOOKS
        self._finding = Finding.OK
        self._told = False
        self._every = target.look_every()
        self._added = self._why = ""
        self._daemons = {daemon: daemons.find(daemon) for daemon in (daemons.CONTROLLER, daemons.ATTRIBUTES)}
        self._sendings: list[float] = []  # when attributes are to be sent again (CLOCK_MONOTONIC, seconds)

    def stay(self, ended: int) -> bool:
        """Until the process is gone; where there is none, until the watcher is told to be quiet. ended: its pidfd, or
        -1. Whether there is a death to tell."""
        poller = select.poll()
        neighbour, events = _neighbour(self._target), self._target.events()
        passing_on, sending = Errand(self._pass_on, poller), Errand(self._send_again, poller)
        preparing, forgetting = Errand(self._target.prepare, poller), Errand(self._forget_written, poller)
        preparing.ask()
        for descriptor in (
            ended,
            neighbour.fileno() if neighbour else -1,
            events.fileno() if events else -1,
            *self._daemons.values(),
        ):
            if descriptor >= 0:
                poller.register(descriptor, select.POLLIN)
        due = time.monotonic()
        while True:
            wait = min([due, *self._sendings]) - time.monotonic()
            ready = {descriptor for descriptor, _ in poller.poll(max(0.0, wait) * 1000)}
            if ended in ready:
                return not self._replaced()
            if events and events.fileno() in ready and events.heard():
                due = 0.0
            if neighbour and neighbour.fileno() in ready and neighbour.moved():
                passing_on.ask()
            if self._daemons_ended(ready, poller):
                forgetting.ask()
            if self._sendings and time.monotonic() >= self._sendings[0]:
                del self._sendings[0]
                sending.ask()
            passing_on.go(ready)
            sending.go(ready)
            preparing.go(ready)
            forgetting.go(ready)
            if time.monotonic() >= due:
                if self._replaced() or (ended < 0 and notes.is_quiet(self._files, self._pid, self._started)):
                    return False
                self._find_daemons(poller)
                due = self._look()
                if self._added == ADRIFT:
                    passing_on.ask()
                    passing_on.go(set())

    def _daemons_ended(self, ready: "set[int]", poller: "select.poll") -> bool:
        """What to do where one of Pacemaker's has. Whether the attribute daemon has."""
        ended = [daemon for daemon, descriptor in self._daemons.items() if descriptor in ready]
        for daemon in ended:
            poller.unregister(self._daemons[daemon])
            os.close(self._daemons[daemon])
            self._daemons[daemon] = daemons.ABSENT
            self._files.remove(LAST_LOOK)
        if daemons.CONTROLLER in ended:
            self._sendings = [time.monotonic() + after for after in _SEND_AGAIN]
        return daemons.ATTRIBUTES in ended

    def _find_daemons(self, poller: "select.poll") -> None:
        """Those that have begun again."""
        for daemon in [daemon for daemon, descriptor in self._daemons.items() if descriptor < 0]:
            self._daemons[daemon] = found = daemons.find(daemon)
            if found >= 0:
                poller.register(found, select.POLLIN)

    def _replaced(self) -> bool:
        """Whether the lock held is not the one in the directory any more: that was wiped, and another watches or will at once."""
        try:
            return os.stat(self._files.path(notes.LOCK)).st_ino != self._lock
        except FileNotFoundError:
            return False  # until then this one does

    # -- the daemon's answer ------------------------------------------------------------------------------------------

    def _look(self) -> float:
        """Look once, write the verdict, tell what is to be told; when to look again."""
        begun = time.monotonic()
        if self._prober:
            heard = self._ask(self._prober, Deadline(self._look_for))
            now = time.monotonic()
            before, self._finding = self._finding, judge(heard, now - begun - self._look_for, self._finding)
            self._told = self._told and self._finding is not Finding.OK
            if self._finding in (Finding.UNSURE, Finding.STARVED) and self._finding is not before:
                self._context.log.info(f"{self._finding.value} after {now - begun:.1f} s: {self._why}")
        self._write_verdict()
        if self._finding is Finding.SILENT:
            return time.monotonic() + (_EVERY if self._tell_silence() else _RECONSIDER)
        if self._finding in (Finding.UNSURE, Finding.STARVED):
            return begun
        return max(begun + (self._every if self._finding is Finding.OK else _EVERY), time.monotonic())

    def _ask(self, prober: "Prober", deadline: Deadline) -> Heard:
        self._added = ""
        try:
            self._added = prober.probe(deadline) or ""
        except TimedOut as error:
            self._why = str(error)
            return Heard.NOTHING
        except (AgentError, OSError) as error:
            if self._finding is not Finding.UNKNOWN:
                self._context.log.info(f"no knowing how it is: {error}")
            return Heard.UNCLEAR
        return Heard.ANSWER

    def _write_verdict(self) -> None:
        known = len(self._unwritten)
        text = f"{self._pid}:{self._started} {time.monotonic():.3f} {self._finding.value} {self._added}".rstrip()
        self._files.write(notes.VERDICT, text)
        for complaint in self._unwritten[known:]:
            self._context.log.error(complaint)  # once: it may last

    # -- telling ------------------------------------------------------------------------------------------------------

    def tell(self, what: str) -> bool:
        """Tell the cluster that the resource failed, unless there is a reason to keep quiet; whether it was told."""
        deadline = Deadline(_TELL)
        if not notes.is_quiet(self._files, self._pid, self._started):
            self._target.unserved()
        while not notes.is_quiet(self._files, self._pid, self._started):
            try:
                return self._tell(what, deadline)
            except (AgentError, OSError) as error:
                self._context.log.error(f"{what}, and the cluster could not be told: {error}")
            if deadline.expired:
                break
            time.sleep(min(_EVERY, deadline.remaining()))  # no answer at once, as while the cluster's daemons restart
        return False

    def _tell(self, what: str, deadline: Deadline) -> bool:
        context = self._context
        node = context.invocation.node
        pacemaker = self._pacemaker(deadline)
        overview = pacemaker.overview()
        own = [instance for instance in overview.instances if instance.node == node] if overview else []
        if overview is None or overview.maintenance or not own or not all(instance.managed for instance in own):
            context.log.info(f"{what}: not told, the resource is not managed or not active here")
            return False
        # Again: the question took a while, and a stop may have begun meanwhile.
        if notes.is_quiet(self._files, self._pid, self._started):
            return False
        context.log.warning(f"{what}: telling the cluster")
        if self._finding is Finding.SILENT:
            self._files.write(notes.TOLD, " ".join([*self._told_lately(), f"{time.monotonic():.0f}"]))
            self._files.write(notes.SILENT, f"{self._pid}:{self._started}")
        try:
            pacemaker.fail()
        except TimedOut as error:
            context.log.error(f"{error}; it may know nevertheless")
        return True

    def _tell_silence(self) -> bool:
        """Once until it answers again, and never often, whichever process it is."""
        if self._told:
            return False
        if len(self._told_lately()) >= _OFTEN:
            self._context.log.warning(f"{self._why}, and was told {_OFTEN} times just before: left to the monitor")
            return False
        self._told = self.tell(f"{self._why}, asked twice")
        return self._told

    def _told_lately(self) -> "list[str]":
        now = time.monotonic()
        return [moment for moment in self._files.read(notes.TOLD).split() if 0 <= now - float(moment) < _WITHIN]

    # -- errands ------------------------------------------------------------------------------------------------------

    def _pass_on(self) -> None:
        """An address moved."""
        try:
            self._target.address_moved()
        except AgentError as error:
            self._context.log.warning(f"{self._target.watched_address()} moved: {error}")

    def _send_again(self) -> None:
        """This node's controller ended. Where the attributes had left the CIB at the next run of the scheduler, a primary would
        be demoted, and promoted again when its monitor has published its score."""
        try:
            self._pacemaker(Deadline(_TELL)).send_again()
        except AgentError as error:
            # The cluster's daemons restart; the monitor does it, too.
            self._context.log.info(f"attributes not sent again: {error}")

    def _forget_written(self) -> None:
        """This node's attribute daemon ended. Until a monitor has written it again the node has no promotion score."""
        self._pacemaker(Deadline(_TELL)).forget_written()

    def _pacemaker(self, deadline: Deadline) -> "Pacemaker":
        from backstay.cluster.pacemaker import Pacemaker

        invocation = self._context.invocation
        return Pacemaker(invocation.resource, invocation.node, self._files.directory, deadline)


class Errand:
    """Work for a child, which loads what need not stay in memory and does not hold up the looks. One at a time: asked for
    meanwhile, once or often, it is done once more."""

    def __init__(self, work: "Callable[[], None]", poller: "select.poll") -> None:
        self._work = work
        self._poller = poller
        self._child: Optional[Child] = None
        self._asked = False

    def ask(self) -> None:
        self._asked = True

    def go(self, ready: "set[int]") -> None:
        """ready: the descriptors that the poller has reported."""
        if self._child and self._child.fileno() in ready:
            self._poller.unregister(self._child.fileno())
            self._child.end()
            self._child = None
        if self._asked and not self._child:
            self._asked = False
            self._child = Child(self._work)
            self._poller.register(self._child.fileno(), select.POLLIN)


def _neighbour(target: "Target") -> "Neighbour | None":
    from backstay.host.ip_address import parse_address
    from backstay.host.neighbor_table import Neighbour

    text = target.watched_address()
    try:
        return Neighbour(parse_address(text)) if text else None
    except (OSError, ValueError) as error:
        target.context.log.info(
            f"not watching {text}: {error}"
        )  # a name, or no netlink: TCP's and the replica's timers remain
        return None
