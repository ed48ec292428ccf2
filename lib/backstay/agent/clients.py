"""Which clients the daemons of other nodes have, noted while they serve. Once a node is lost nobody can ask, and who stands in
for it has to tell its clients (services/vip/home)."""

from backstay.host.ip_address import parse_address
from backstay.host.state_files import Files, StateFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from backstay.host.ip_address import Address

CLIENTS = StateFile(
    "clients",
    "connections of the other nodes' daemons, as CLIENT>HERE, a line for each node",
    lost="clients of a node that is lost before the next look learn it when their TCP sends again",
)
_MOST = 5000  # connections of one node; of more, the rest learn it when they send


def note(files: Files, seen: "Mapping[str, Sequence[str]]") -> None:
    """seen: the daemon's name -> its connections, each "ADDRESS:PORT -> ADDRESS:PORT", the client first. One that is not among
    them keeps what was seen last: it may just be lost."""
    known = dict(line.split(" ", 1) for line in files.read(CLIENTS).splitlines() if " " in line)
    for name, connections in seen.items():
        known[name] = " ".join(one.replace(" -> ", ">") for one in sorted(connections)[:_MOST])
    text = "\n".join(f"{name} {connections}" for name, connections in sorted(known.items()) if connections)
    if text != files.read(CLIENTS):
        files.write(CLIENTS, text)


def connected(files: Files, address: "Address") -> "list[tuple[Address, int, int]]":
    """Those that were connected to the address: the client's address, its port, and the port here."""
    found = []
    for line in files.read(CLIENTS).splitlines():
        for word in line.split()[1:]:
            peer, _, here = word.partition(">")
            try:
                (client, client_port), (own, own_port) = _place(peer), _place(here)
            except ValueError:
                continue  # a name, or what is no connection over TCP
            if own.packed == address.packed:
                found.append((client, client_port, own_port))
    return found


def _place(text: str) -> "tuple[Address, int]":
    """Of 10.0.0.1:5672 or [fd00::1]:5672. Raises ValueError."""
    address, _, port = text.rpartition(":")
    return parse_address(address.strip("[]")), int(port)
