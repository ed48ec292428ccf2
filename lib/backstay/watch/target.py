"""What a watcher needs to know of the service beside which it runs. A service's `watching` module has a subclass. Of the
whole service a watcher loads only that module, which should be small: what it imports stays in memory."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Protocol

    from backstay.agent.context import Context
    from backstay.host.deadline import Deadline

    class Prober(Protocol):
        def probe(self, deadline: Deadline) -> Optional[str]:
            """Ask the daemon, on a connection that is kept. Returning means that it answered, whatever it said; the text
            goes into the verdict, for the agent's monitor; ADRIFT has the watcher look for a new holder. Raises TimedOut when
            it did not answer by the deadline: the next call must use a new connection then. Any other AgentError, or OSError,
            means that nobody knows."""

    class Events(Protocol):
        def fileno(self) -> int:
            """Readable when something happened."""

        def heard(self) -> bool:
            """Read what came; whether to look at once."""


ADRIFT = "adrift"  # a prober's word: it points at no holder of the address, as if that had moved


class Target:
    """One resource that is watched. By default only the death of its process is seen."""

    context_class: "type[Context]"

    def __init__(self, context: "Context") -> None:
        self.context = context

    def prober(self) -> "Optional[Prober]":
        """What asks whether the daemon answers; None: nobody does."""
        return None

    def patience(self) -> float:
        """Seconds without an answer after which a daemon has failed."""
        return 3.0

    def look_every(self) -> float:
        """Seconds between looks while all is well."""
        return 1.0

    def events(self) -> "Optional[Events]":
        """What tells that one should look at once; None: nothing does."""
        return None

    def prepare(self) -> None:
        """Get ready what `unserved` needs. Called in a child of the watcher when it begins."""

    def unserved(self) -> None:
        """The daemon has died or is silent: before the cluster is told, since clients come meanwhile. Has to be quick, and
        raises nothing."""

    def watched_address(self) -> str:
        """An address on another host whose move is to be reported to `address_moved`; "" for none."""
        return ""

    def address_moved(self) -> None:
        """Called in a child of the watcher. Raises AgentError."""
