"""The settings on which the agent's promises rest, as a file that comes after the admin's. Pure.

cluster_partition_handling  with two nodes neither side is a majority: `ignore`, and fencing decides. With three or more
                            `pause_minority`: a side that cannot go on stops by itself, even before it is fenced. Never
                            `autoheal`: it throws confirmed messages away (300 of 800 in a trial)
net_ticktime                a mirrored queue confirms nothing until a silent peer is declared down, which takes 75 % of
                            this at least: by then the peer has been fenced
net_setuptime               (on the command line) how long a survivor tries to reach a lost peer before it goes on
message_store_shutdown…     600 s by default, which is longer than any stop
log.connection.level        (unless the admin sets it) a monitor logs in every few seconds on every node
mnesia_table_loading…       300 s by default, which is longer than any start: the broker ends within the agent's start,
                            with a reason
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from backstay.services.rabbitmq.dialects.base import Dialect

_RETRY = 5.0  # seconds for which one attempt to load the tables waits
ERLANG_ARGUMENTS = "-kernel net_setuptime 1"
FOREVER = 1_000_000  # attempts to find a peer: a node that is to join must never go on alone


def partition_handling(nodes: int) -> str:
    return "pause_minority" if nodes > 2 else "ignore"


def fragment(
    dialect: Dialect,
    nodes: int,
    ticktime: float,
    boot_within: float,
    me: str,
    join: Sequence[str],
    definitions: str,
    queue_type: str,
    theirs: str,
) -> str:
    """The file's text.

    nodes: how many brokers the cluster has. boot_within: seconds until a broker that waits for others gives up. join:
    Erlang names to join, where RabbitMQ finds no data; empty to begin a cluster. It is never among them itself, though from
    3.13 RabbitMQ adds it. definitions: a file that a new cluster reads, or "".
    theirs: the text of the admin's settings.
    """
    lines = [
        f"net_ticktime = {round(ticktime)}",
        "message_store_shutdown_timeout = 30000",
        f"mnesia_table_loading_retry_timeout = {round(_RETRY * 1000)}",
        f"mnesia_table_loading_retry_limit = {max(1, int(boot_within / _RETRY))}",
        "cluster_formation.peer_discovery_backend = classic_config",
        f"cluster_formation.discovery_retry_limit = {FOREVER if join else 1}",
        "cluster_formation.discovery_retry_interval = 500",
        *(f"cluster_formation.classic_config.nodes.{at} = {name}" for at, name in enumerate(join or [me], 1)),
        *dialect.settings(partition_handling(nodes), queue_type),
    ]
    if not re.search(r"^\s*log\.connection\.level\s*=", theirs, re.MULTILINE):
        lines.append("log.connection.level = warning")
    if definitions:
        lines.append(f"load_definitions = {definitions}")
    return "# Written by ocf:backstay:rabbitmq at each start; changes are lost.\n" + "\n".join(lines) + "\n"
