"""What an admin can set for ocf:backstay:vip. Meta-data, defaults and the manual page come from here."""

from backstay.host.ip_address import Address, parse_address, parse_prefix
from backstay.ocf.errors import Misconfigured
from backstay.ocf.parameters import Choice, Count, Flag, Parameters, Seconds, Text
from backstay.services.vip.health import FOREVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

NAME_BYTES = 15  # IFNAMSIZ without its terminator, for interfaces and labels


class VipParameters(Parameters):
    name = "vip"
    short = "A virtual IPv4 or IPv6 address"
    long = """
    Holds an IPv4 or IPv6 address on one node at a time and moves it with its clients: it asks the network for another
    holder before it takes the address, announces it by gratuitous ARP or unsolicited neighbour advertisement, and
    resets the TCP connections of the address before it gives it up, so that clients reconnect at once.

    Interface and prefix are found from the address unless they are given. Runs as a primitive, or as a promotable
    clone whose unpromoted instances check that they could take the address.
    """

    ip = Text(
        "The address",
        "The IPv4 or IPv6 address, without a prefix.",
        required=True,
        unique_group="address",
    )
    nic = Text(
        "Network interface",
        "The interface that gets the address. Default: the one whose connected network the address is in.",
    )
    cidr_netmask = Text(
        "Prefix length",
        "The prefix length, such as 24 or 64, or for IPv4 a netmask. Default: where the interface has an own IPv4 address in "
        "the same network, 32, so that the node's own connections never leave from this one; else that of the network.",
    )
    label = Text(
        "Interface label",
        "IPv4 only: mark the address with this label, shown by ip address as NIC:LABEL. At most 15 bytes with the "
        "interface's name.",
    )
    network_namespace = Text(
        "Network namespace",
        "Act in this network namespace, by its name in ip netns.",
        unique_group="address",
    )
    check_duplicate = Flag(
        "Look for another holder first",
        "Before taking the address ask the network who has it, and fail if a host answers. Turn it off where a router "
        "or fabric answers in other hosts' names (proxy ARP, ARP suppression).",
        default="true",
        reloadable=True,
    )
    duplicate_timeout = Seconds(
        "Wait for another holder",
        "How long to wait for an answer; every failover takes that much longer. Half of it after a first and half "
        "after a second question. A host answers from its kernel, in well below 10 ms.",
        default="50ms",
        minimum=0.01,
        maximum=5,
        reloadable=True,
    )
    nodad = Flag(
        "Skip the kernel's duplicate address detection",
        "IPv6 only: use the address at once. Without this the kernel asks too, as RFC 4862 has it, and the address "
        "is of no use for one to two seconds; check_duplicate asks the same question in less.",
        default="true",
    )
    preferred_lft = Text(
        "Preferred lifetime",
        "IPv6 only: seconds, or forever. With 0 the node never picks the address as the source of its own connections, "
        "which a move of the address would break.",
        default="0",
    )
    arp_count = Count(
        "Number of announcements",
        "How often to announce the address (gratuitous ARP or unsolicited neighbour advertisement), the first time "
        "before start returns.",
        default="5",
        minimum=1,
        maximum=20,
        reloadable=True,
    )
    arp_interval = Seconds(
        "Wait between announcements",
        "How long to wait before the second announcement. Each further wait is twice as long, up to a minute.",
        default="200ms",
        minimum=0.01,
        maximum=60,
        reloadable=True,
    )
    on_loss = Choice(
        "Clients that come while it moves",
        "What becomes of new connections to the address after this node gave it up, while the neighbours still send them "
        "here. hold: they wait, and go on to the node that takes it over, so an application sees a pause and no error; for an "
        "address that another node takes over soon. refuse: they fail at once.",
        default="refuse",
        choices=("hold", "refuse"),
        reloadable=True,
    )
    hold_for = Seconds(
        "Hold at most",
        "With on_loss=hold, how long connections wait for another node to announce the address; then they are refused. The "
        "default is as long as PyMySQL, and so most of OpenStack, waits for a connection.",
        default="10s",
        minimum=0.1,
        maximum=60,
        reloadable=True,
    )
    refuse_for = Seconds(
        "Refuse after stop",
        "How long this node refuses connections to the address after it gave it up or, with on_loss=hold, after that time "
        "ended: what is refused tries again at once, what is ignored waits a second for TCP. What belongs to a connection from "
        "before is reset all the time. 0: never, but while connections are held.",
        default="3s",
        minimum=0,
        maximum=60,
        reloadable=True,
    )
    home = Text(
        "The node that serves it",
        "The name of the one node on which clients of the address are served. Another node holds it only while this one is "
        "lost, and resets whatever arrives for it, so that clients of a server that every node has, such as a broker, go on to "
        "their next address at once. That needs nft. Default: clients are served wherever the address is.",
    )
    clients_of = Text(
        "The resource that knows its clients",
        "With home: the name of the resource on each node that notes the clients of the others, such as an ocf:backstay:rabbitmq "
        "with note_clients. Who takes the address away from home has them answer, and resets them. Default: each client is reset "
        "when its TCP sends by itself.",
        reloadable=True,
    )
    check_link = Flag(
        "A dead link is a failure",
        "Whether start and monitor fail when the interface has no link. Turn it off for interfaces that live without "
        "one, such as a bridge without ports.",
        default="true",
        reloadable=True,
    )

    def check(self) -> None:
        super().check()
        address = self.address()
        self.prefix()
        self.preferred()
        self.namespace()
        if address.link_local and not self.nic:
            raise Misconfigured(f"parameter nic is not set: {address.text} is link-local, so name its interface")
        if "/" in self.clients_of or self.clients_of in (".", ".."):
            raise Misconfigured(f"parameter clients_of={self.clients_of}: give the name of a resource")
        if not _is_name(self.nic, empty=True):
            raise Misconfigured(f"parameter nic={self.nic}: not an interface name (at most {NAME_BYTES} bytes)")
        if self.label and address.bits == 128:
            raise Misconfigured(f"parameter label={self.label}: only IPv4 addresses have labels; leave it out")
        if self.label and not _is_name(f"{self.nic or 'x'}:{self.label}"):
            raise Misconfigured(f"parameter label={self.label}: with the interface at most {NAME_BYTES} bytes")

    def address(self) -> Address:
        """Raises Misconfigured."""
        text = self.ip
        if not text:
            raise Misconfigured("parameter ip is not set: give the virtual address")
        try:
            return parse_address(text)
        except ValueError as error:
            raise Misconfigured(f"parameter ip={text}: {error}") from None

    def prefix(self) -> "Optional[int]":
        """Bits of the network, None for that of the connected network. Raises Misconfigured."""
        try:
            return parse_prefix(self.cidr_netmask, self.address())
        except ValueError as error:
            if self.lenient:
                return None
            raise Misconfigured(f"parameter cidr_netmask={self.cidr_netmask}: {error}") from None

    def preferred(self) -> int:
        """The preferred lifetime in seconds, or FOREVER. Raises Misconfigured."""
        text = self.preferred_lft
        if text == "forever":
            return FOREVER
        if not (text.isascii() and text.isdigit()) or int(text) >= FOREVER:
            raise Misconfigured(f"parameter preferred_lft={text}: seconds or forever is needed")
        return int(text)

    def namespace(self) -> str:
        """The network namespace's name, "" for this one. Raises Misconfigured."""
        name = self.network_namespace
        if "/" in name or name in (".", ".."):
            raise Misconfigured(f"parameter network_namespace={name}: give its name in ip netns, not a path")
        return name


def _is_name(text: str, empty: bool = False) -> bool:
    """Whether the kernel takes it as the name of an interface or address label."""
    if not text:
        return empty
    return len(text.encode()) <= NAME_BYTES and "/" not in text and not any(mark.isspace() for mark in text)
