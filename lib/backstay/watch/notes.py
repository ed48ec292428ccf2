"""What a watcher and the actions leave for each other, files in the agent's state directory:

watch.lock   held by the watcher; pid and start of the daemon, and, once it has begun, of the watcher, and which
             installation that runs from (Context.installation)
verdict      its last look: PID:START, when (CLOCK_MONOTONIC, seconds), the finding, what the prober added; replaced at
             each look
silent       PID:START of a daemon that was found silent and told: demote and stop need not find out again
stopping     PID:START of a daemon that we end ourselves; empty: any
told         when silence was told lately (CLOCK_MONOTONIC, seconds)
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.state_files import Files

LOCK, VERDICT, SILENT, STOPPING, TOLD = "watch.lock", "verdict", "silent", "stopping", "told"


def is_quiet(files: Files, pid: int, started: str) -> bool:
    """Whether we end this process ourselves."""
    return files.has(STOPPING) and files.read(STOPPING) in ("", f"{pid}:{started}")


def verdict(files: Files, pid: int, started: str, within: float) -> str:
    """The watcher's last finding on this very process (liveness.Finding) and, after a blank, what the prober added; "" when
    there is none of the last `within` seconds."""
    identity, _, rest = files.read(VERDICT).partition(" ")
    at, _, finding = rest.partition(" ")
    if identity != f"{pid}:{started}" or not 0 <= time.monotonic() - float(at) <= within:
        return ""
    return finding
