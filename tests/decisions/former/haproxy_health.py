"""As services/haproxy/health.py judged before its table was executed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backstay.services.haproxy.health import Processes, Stat, Verdict


def judge(
    processes: Processes,
    stat: Stat | None,
    frontends: Sequence[str],
    held: bool,
    required: Mapping[str, int],
    stale: str = "",
) -> Verdict:
    """frontends: those that matter. held: whether they should be closed. required: backend to the least number of servers.
    stale: why the configuration on disk is not the one that serves, "" when it is.

    That no server of a backend is up is no failure unless asked for: another node would see the same servers.
    """
    if not processes.worker or stat is None:
        return Verdict("no worker", "the master process runs, but no worker that serves: see its log")
    wanted = "PAUSED" if held else "OPEN"
    wrong = tuple(name for name in frontends if stat.frontends.get(name) != wanted)
    missing = [name for name in wrong if name not in stat.frontends]
    if missing:
        return Verdict(
            "closed", f"frontend {missing[0]} is not in the configuration that runs: reload, or correct frontends"
        )
    if held:
        if wrong:
            return Verdict("leaks", f"frontend {wrong[0]} is {stat.frontends[wrong[0]]} though not promoted", wrong)
        return Verdict("stale", stale) if stale else Verdict("held")
    if wrong:
        return Verdict("closed", f"frontend {wrong[0]} is {stat.frontends[wrong[0]]}: enable it, or restart", wrong)
    for name, least in required.items():
        up = stat.backends.get(name)
        if up is None:
            return Verdict("no backend", f"backend {name} is not in the configuration: correct require_backends")
        if up < least:
            return Verdict("no backend", f"backend {name} has {up} servers up, require_backends asks for {least}")
    return Verdict("stale", stale) if stale else Verdict("serves")
