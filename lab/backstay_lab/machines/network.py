"""The lab's network: one bridge in the supervisor's network namespace, a port for each node, a filter for partitions.

Node `n1` has address 10.77.0.11 and fd77::11, `client` .10; .100 and up are free for floating addresses. Every lab
has the same addresses: they exist only inside its namespaces.
"""

from backstay.host import command
from backstay_lab.machines.layout import CLIENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

BRIDGE = "lab"
TOOL_TIMEOUT = 10.0  # seconds for one call of ip or nft, which take milliseconds
# The filter sits where the bridge hands a frame from one port to another: it sees every address of a node, floating
# ones too, and broadcast. Pairs are (from, to), so a cut may be one-way.
# Pairs with a port lose the TCP segments to and from that port alone; lossy pairs lose LOSS of a hundred frames, or
# another number of LOSSES.
LOSS = 30
LOSSES = (5, 10, 15, 20, 25, 30, 40, 50)
_LOSSY = {share: f"lossy{share}" for share in LOSSES}
_SETS = "\n".join(f"    set {name} {{ type ifname . ifname; }}" for name in _LOSSY.values())
_DROPS = "\n".join(
    f"        iifname . oifname @{name} numgen random mod 100 < {share} drop" for share, name in _LOSSY.items()
)
FILTER = f"""
table bridge lab {{
    set cut {{ type ifname . ifname; }}
    set ports {{ type ifname . ifname . inet_service; }}
{_SETS}
    chain forward {{
        type filter hook forward priority 0
        iifname . oifname @cut drop
        iifname . oifname . tcp dport @ports drop
        iifname . oifname . tcp sport @ports drop
{_DROPS}
    }}
}}
"""
SETS = ("cut", "ports", *_LOSSY.values())
KINDS = ("cut", "ports", "lossy")
RATE, QUEUE = "2mbit", "400ms"  # of a slow link: what does not fit waits so long, then is lost


def last_octet(node: str) -> int:
    return 10 if node == CLIENT else 10 + int(node.lstrip("n"))


def address(node: str) -> str:
    return f"10.77.0.{last_octet(node)}"


def address6(node: str) -> str:
    """The digits of the IPv4 address again: n1 is .11 and ::11."""
    return f"fd77::{last_octet(node)}"


def mac(node: str) -> str:
    """Locally administered, and the same after every power-on, so that neighbours' caches stay right."""
    return f"02:00:0a:4d:00:{last_octet(node):02x}"


def port(node: str) -> str:
    """The bridge's end of the node's cable."""
    return f"port-{node}"


def create() -> None:
    """Make bridge and filter in this network namespace."""
    _ip("link", "set", "lo", "up")
    # No snooping: it would hold multicast, and so IPv6 neighbour discovery, back until a querier is heard.
    _ip("link", "add", BRIDGE, "type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0")
    _ip("link", "set", BRIDGE, "addrgenmode", "none")
    _ip("link", "set", BRIDGE, "up")
    _nft(FILTER)


def unplug(node: str) -> None:
    """Silence the node at once; what its dying kernel still sends reaches nobody."""
    command.run(["ip", "link", "set", port(node), "down"], TOOL_TIMEOUT, check=False)  # no port: silent already


def impair(impairments: "Iterable[tuple[str, str, str, int]]") -> None:
    """Make exactly these be so: (one of KINDS, sender, receiver, number), where the number is the port of `ports`, and of
    `lossy` one of LOSSES or 0, which is LOSS."""
    script = [f"flush set bridge lab {name}" for name in SETS]
    for kind, sender, receiver, number in impairments:
        name = _LOSSY[number or LOSS] if kind == "lossy" else kind
        number_too = f" . {number}" if kind == "ports" else ""
        script.append(f'add element bridge lab {name} {{ "{port(sender)}" . "{port(receiver)}"{number_too} }}')
    _nft("\n".join(script) + "\n")  # one transaction


def slow(node: str) -> None:
    """Narrow the way to the node to RATE. Not every kernel has netem: what queues there is late, as on a busy link."""
    bucket = ["tbf", "rate", RATE, "burst", "10kb", "latency", QUEUE]
    command.run(["tc", "qdisc", "replace", "dev", port(node), "root", *bucket], TOOL_TIMEOUT)


def hasten(node: str) -> None:
    """The way to the node is as it was made."""
    command.run(["tc", "qdisc", "del", "dev", port(node), "root"], TOOL_TIMEOUT, check=False)  # a new port is fast


def _ip(*arguments: str) -> None:
    command.run(["ip", *arguments], TOOL_TIMEOUT)


def _nft(script: str) -> None:
    command.run(["nft", "-f", "-"], TOOL_TIMEOUT, input=script)
