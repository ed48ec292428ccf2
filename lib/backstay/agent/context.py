"""The context of one call of an agent: the action that was asked for, the parameters, the log, the time that is left, what
this node remembers, and the way to the cluster.

The parts of a service take the context; nothing imports the class of the actions (dispatch.py). A service's own context adds
what its parts share. The watcher and the agent's other helper processes make a context as well, without any action.
"""

import os
import sys

from backstay.agent.log import Log
from backstay.host.deadline import Deadline
from backstay.host.state_files import Files, StateFile, Unwritable, unwritable
from backstay.ocf.errors import Misconfigured
from backstay.ocf.parameters import Parameters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from backstay.cluster.pacemaker import Pacemaker
    from backstay.ocf.invocation import Invocation

PARAMETERS = StateFile(
    "parameters",
    "the last values of all parameters that could be used, as a literal",
    lost="a value that does not fit reads as its default, until all fit again",
)
STANDING = StateFile(
    "standing",
    "of a promotable instance: why it is not as wanted, for each check level",
    lost="the attribute stays as it is, also when all is well, until a monitor finds something again",
)
_STRICT = {"start", "promote"}  # what fails when the agent's own files cannot be written (host/state_files.py)


class Context:
    """Of one call. Subclasses name the class of their parameters, and add what their parts share.

    deadline: the end of this action, somewhat before Pacemaker kills it. unwritten: sentences on which of the agent's
    own files could not be written. wrong: why the values that were given are not the ones in use, "" when they are.
    explained: the last exit reason that was given.
    """

    parameters_class: "type[Parameters]" = Parameters

    def __init__(self, invocation: "Invocation", timeout: float = 20.0) -> None:
        """timeout: seconds until Pacemaker would kill the action, where the invocation does not say."""
        self.invocation = invocation
        self.parameters = self.parameters_class(invocation)
        self.log = Log(f"{self.parameters.name}({invocation.resource})", invocation.environ)
        self.log.secrets = self.parameters.secrets()
        self.unwritten: list[str] = []
        self.wrong = ""
        self.explained = ""
        self._pacemaker: Optional[Pacemaker] = None
        timeout = invocation.timeout or timeout
        # Pacemaker kills the process group without warning at the timeout: be done, with a reason, before that.
        self.deadline = Deadline(max(timeout * 0.9, timeout - 2))

    def settle_parameters(self, strict: bool) -> None:
        """See that the parameters can be used. What runs goes on with the last values that could, and says so.

        strict: as for a start, where a value that does not fit raises Misconfigured. Where nobody remembers good values, as
        after a boot, only those that do not fit are left out: they read as their defaults.
        """
        given = self.invocation.parameters
        try:
            self.parameters.check()
        except Misconfigured as error:
            if strict:
                raise
            self.wrong = str(error)
            self.parameters.lenient = True
            good = self.state.read(PARAMETERS)
            if good:
                import ast

                self.invocation.parameters = dict(ast.literal_eval(good))
                self.wrong += "; the values before it are in use"
            else:
                self.invocation.parameters = self.parameters.fitting()
                self.wrong += "; its default is in use"
            self.log.secrets += self.parameters.secrets()
            return
        text = ascii(sorted(given.items()))
        if self.state.read(PARAMETERS) != text:
            self.state.write(PARAMETERS, text)

    @property
    def troubles(self) -> "list[str]":
        """What this action had to do without, for the admin."""
        return [*filter(None, [self.wrong]), *self.unwritten]

    def begin(self, seconds: float) -> None:
        """Outside an action, as in the watcher's errands: what follows may take so long."""
        self.deadline = Deadline(seconds)
        self._pacemaker = None

    @property
    def pacemaker(self) -> "Pacemaker":
        """The way to the cluster, made on first use: most monitors need none."""
        if self._pacemaker is None:
            from backstay.cluster.pacemaker import Pacemaker

            self._pacemaker = Pacemaker(
                self.invocation.resource, self.invocation.node, self.state_directory(), self.deadline
            )
        return self._pacemaker

    def state_directory(self) -> str:
        """A directory for this resource that the next boot finds empty; 0700, made when missing. Raises Unwritable in an
        action that cannot do without."""
        path = os.path.join(self.invocation.environ.get("BACKSTAY_RUN", "/run/backstay"), self.invocation.resource)
        try:
            os.makedirs(path, mode=0o700, exist_ok=True)
        except OSError as error:
            self.cannot_write(unwritable(path, error))
        return path

    @property
    def state(self) -> Files:
        """What this node remembers of the resource. Made on first use: meta-data runs without any rights."""
        return Files(self.state_directory(), self.complaints)

    @property
    def complaints(self) -> "Optional[list[str]]":
        """For Files: where this action notes what could not be written; None where that fails it."""
        return None if self.invocation.action in _STRICT else self.unwritten

    def cannot_write(self, what: str) -> None:
        """Raises Unwritable in an action that cannot do without; else it is told at the end."""
        if self.complaints is None:
            raise Unwritable(what)
        if what not in self.unwritten:
            self.unwritten.append(what)

    def explain(self, reason: str) -> None:
        """Give an exit reason: for a result that is no failure as well, such as a degraded monitor."""
        self.explained = reason
        prefix = self.invocation.environ.get("OCF_EXIT_REASON_PREFIX", "ocf-exit-reason:")
        sys.stderr.write(f"{prefix}{' '.join(self.log.masked(reason).split())}\n")

    def installation(self) -> str:
        """Which installation this runs from: another text after each, be it one directory for another or file by file. What
        was started by an action and outlives it is started anew when it is of another. Raises OSError."""
        modules = sys.modules[__name__], sys.modules[type(self).__module__]
        found = [os.stat(os.path.dirname(str(module.__file__))) for module in modules]
        return ",".join(f"{one.st_ino}:{one.st_mtime_ns}" for one in found)
