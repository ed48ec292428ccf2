"""When a recurring monitor may rest, which means: use the watcher's last look instead of one of its own. It may do so while
the watcher's looks show what the monitor's own last look showed, and that was calm: there was nothing to do, and nothing to
publish but what was published.

| the monitor looks itself when                                | because                                                |
|--------------------------------------------------------------|--------------------------------------------------------|
| it has not for half a minute, or as long as the agent says   | some things the watcher cannot see                     |
| the watcher's verdict is not of the last seconds and calm    | the watcher may be gone, stand still, or see trouble   |
| its last look was not calm, or found something else than the | there may be something to do, or to publish            |
| watcher sees now                                             |                                                        |
| the process, a parameter, or what the agent adds is another  | the last finding is not about this one                 |
| the node's controller has ended since                        | what was published may be gone (the watcher sees to it) |

The service's health module describes a calm observation by a short text, which stays equal while the observation does.
"""

from backstay.host.state_files import StateFile
from backstay.watch import notes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.agent.context import Context
    from backstay.host.process import Process

CALM = "calm"  # how what is calm begins
LAST_LOOK = StateFile(
    "calm",
    "what a monitor found when it looked itself and all was calm: PID:START, checksum of the parameters, the finding",
    lost="the next monitor looks itself",
)
LOOK_EVERY = 30.0  # seconds
_FRESH = 3.0  # seconds: the watcher looks once a second


def rests(context: "Context", running: "Process", added: str = "", look_every: float = LOOK_EVERY) -> bool:
    """Whether the watcher sees, right now, what the last look at the process found. added: what else must be as it
    was then. look_every: seconds after which the monitor looks itself all the same."""
    files = context.state
    if files.age(LAST_LOOK) > look_every:
        return False
    verdict, _, calm = notes.verdict(files, running.pid, running.started, _FRESH).partition(" ")
    return verdict == "ok" and calm.startswith(CALM) and files.read(LAST_LOOK) == _found(context, running, added, calm)


def note(context: "Context", running: "Process", calm: str, added: str = "") -> None:
    """After a look. calm: what was found, "" when that is not calm."""
    files = context.state
    if calm:
        files.write(LAST_LOOK, _found(context, running, added, calm))
    else:
        files.remove(LAST_LOOK)


def _found(context: "Context", running: "Process", added: str, calm: str) -> str:
    """Kept where only root reads, who can read the parameters as well."""
    import zlib

    parameters = zlib.crc32(repr(sorted(context.invocation.parameters.items())).encode())
    return f"{running.identity} {parameters:x} {added} {calm}"
