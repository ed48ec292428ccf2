"""Act in another network namespace, by setns(2) instead of starting again under `ip netns exec`."""

import os

from backstay.ocf.errors import AgentError, WrongParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Optional

DIRECTORY = "/run/netns"  # where iproute2 keeps names
_CLONE_NEWNET = 0x40000000


class Inside:
    """`with Inside(name):` what is opened there belongs to that namespace; "" is where we are. Only the sockets need
    to be inside: Pacemaker's tools reach its daemons by abstract sockets, which end at the namespace's border.

    Raises WrongParameter when this node has no such namespace.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._home = -1

    def __enter__(self) -> None:
        if not self._name:
            return
        try:
            there = os.open(f"{DIRECTORY}/{self._name}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            raise WrongParameter(
                f"parameter network_namespace={self._name}: this node has no such namespace; ip netns add {self._name}"
            ) from None
        try:
            self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            _setns(there)
        except OSError as error:
            raise AgentError(f"cannot enter network namespace {self._name}: {error.strerror}") from None
        finally:
            os.close(there)

    def __exit__(
        self,
        kind: "Optional[type[BaseException]]",
        error: "Optional[BaseException]",
        trace: "Optional[TracebackType]",
    ) -> None:
        if self._home >= 0:
            _setns(self._home)
            os.close(self._home)
            self._home = -1


def _setns(descriptor: int) -> None:
    if hasattr(os, "setns"):  # Python 3.12
        os.setns(descriptor, _CLONE_NEWNET)
        return
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, _CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
