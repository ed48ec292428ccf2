"""Files in the agent's state directory that a watcher and the actions leave for each other."""

from __future__ import annotations

import time

from backstay.host.state_files import StateFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.state_files import Files

LOCK = StateFile(
    "watch.lock",
    "held by the watcher: pid and start of the daemon; once it has begun, those of the watcher, and its installation",
    lost="the next monitor starts another watcher, and the one before ends",
)
VERDICT = StateFile(
    "verdict",
    "the watcher's last look: PID:START, when (CLOCK_MONOTONIC, seconds), the finding, what the prober added",
    lost="monitors look themselves until the next look, within a second",
)
SILENT = StateFile(
    "silent",
    "PID:START of a daemon that was found silent, dated when",
    lost="demote and stop wait for its answer again",
)
STOPPING = StateFile(
    "stopping",
    "PID:START of a daemon that the agent ends itself; empty: any",
    lost="the watcher may report a wanted end as a failure",
)
TOLD = StateFile(
    "told",
    "when silence was told lately (CLOCK_MONOTONIC, seconds)",
    lost="silence may be told more often than ten times a minute",
)


def is_quiet(files: Files, pid: int, started: str) -> bool:
    """Whether the agent itself ends this process."""
    return files.has(STOPPING) and files.read(STOPPING) in ("", f"{pid}:{started}")


def verdict(files: Files, pid: int, started: str, within: float) -> str:
    """The watcher's last finding on this very process (liveness.Finding) and, after a blank, what the prober added; "" when
    there is none of the last `within` seconds."""
    identity, _, rest = files.read(VERDICT).partition(" ")
    at, _, finding = rest.partition(" ")
    if identity != f"{pid}:{started}" or not 0 <= time.monotonic() - float(at) <= within:
        return ""
    return finding
