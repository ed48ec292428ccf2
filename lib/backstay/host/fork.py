"""Children of this process that go on with this program's code (fork)."""

import _signal  # type: ignore[import-not-found]  # signal loads enum
import os

from backstay.ocf.errors import AgentError, TimedOut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_CLOSE_ON_EXEC = 0x40000000  # MSG_CMSG_CLOEXEC


def detach(work: "Callable[[], None]", keep: "Sequence[int]" = ()) -> int:
    """Run `work` in a child that outlives the action, and return its pid at once.

    As with spawn the child leads a session of its own and holds none of the agent's descriptors but `keep`. It shares
    what is imported, which costs a millisecond where a new interpreter costs twenty; an error in it goes unheard.
    """
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        let_go(keep)
        work()
    finally:
        os._exit(0)


def let_go(keep: "Sequence[int]") -> None:
    """Hold none of the parent's descriptors but `keep`, nor its directory."""
    import sys

    os.chdir("/")
    if "syslog" in sys.modules:
        sys.modules["syslog"].closelog()  # it would write to whatever gets the number of its descriptor
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    for descriptor in [int(name) for name in os.listdir("/proc/self/fd")]:
        if descriptor > 2 and descriptor not in keep:
            os.closerange(descriptor, descriptor + 1)  # unlike close() it does not mind the listing's own


class Child:
    """`work` in a child of this process, as with detach; it must be seen to its end. An error in it goes unheard."""

    def __init__(self, work: "Callable[[], None]", keep: "Sequence[int]" = ()) -> None:
        self._pid = os.fork()
        if self._pid:
            self._handle = os.pidfd_open(self._pid)
            return
        try:
            let_go(keep)
            work()
        finally:
            os._exit(0)

    def fileno(self) -> int:
        """Readable once the child has ended."""
        return self._handle

    def end(self) -> None:
        """Kill it if it still runs, and forget it."""
        os.kill(self._pid, _signal.SIGKILL)  # not yet waited for, so the pid is still its own
        os.waitpid(self._pid, 0)
        os.close(self._handle)


def borrow(work: "Callable[[], int]", seconds: float) -> int:
    """The descriptor that `work` opens in a child, handed over: what had to be loaded for it goes with the child.

    Raises what `work` raised, as an AgentError where its class is not loaded here, and TimedOut when it takes longer than
    `seconds`.
    """
    import sys
    from _socket import CMSG_LEN, SCM_RIGHTS, SOL_SOCKET, socketpair, timeout
    from struct import calcsize, pack, unpack

    here, there = socketpair()

    def give() -> None:
        try:
            there.sendmsg([b"\0"], [(SOL_SOCKET, SCM_RIGHTS, pack("i", work()))])
        except AgentError as error:
            there.send(f"{type(error).__module__}:{type(error).__qualname__}:{error}".encode())

    child = Child(give, keep=[there.fileno()])
    there.close()
    try:
        here.settimeout(seconds)
        said, handed, _, _ = here.recvmsg(4096, CMSG_LEN(calcsize("i")), _CLOSE_ON_EXEC)
    except timeout:
        raise TimedOut(f"no descriptor within {seconds:g} s") from None
    finally:
        child.end()
        here.close()
    if handed:
        descriptor: int = unpack("i", handed[0][2])[0]
        return descriptor
    if not said:
        raise AgentError("the child died")
    module, name, reason = said.decode("utf-8", "replace").split(":", 2)
    kind = getattr(sys.modules.get(module), name, AgentError)
    error: AgentError = kind.__new__(kind, reason)  # some have attributes that no string tells
    raise error
