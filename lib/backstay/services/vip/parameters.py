"""What an admin can set for ocf:backstay:vip. Meta-data, defaults and the manual page come from here."""

from backstay.agent.dispatch import Agent
from backstay.ocf.parameters import Parameter


class VipParameters(Agent):
    name = "vip"
    short = "A virtual IPv4 or IPv6 address"
    long = """
    Holds an IPv4 or IPv6 address on one node at a time and moves it with its clients: it asks the network for another
    holder before it takes the address, announces it by gratuitous ARP or unsolicited neighbour advertisement, and
    resets the TCP connections of the address before it gives it up, so that clients reconnect at once.

    Interface and prefix are found from the address unless they are given. Runs as a primitive, or as a promotable
    clone whose unpromoted instances check that they could take the address.
    """

    ip = Parameter(
        "The address",
        "The IPv4 or IPv6 address, without a prefix.",
        required=True,
        unique_group="address",
    )
    nic = Parameter(
        "Network interface",
        "The interface that gets the address. Default: the one whose connected network the address is in.",
    )
    cidr_netmask = Parameter(
        "Prefix length",
        "The prefix length, such as 24 or 64, or for IPv4 a netmask. Default: that of the connected network.",
    )
    label = Parameter(
        "Interface label",
        "IPv4 only: mark the address with this label, shown by ip address as NIC:LABEL. At most 15 bytes with the "
        "interface's name.",
    )
    network_namespace = Parameter(
        "Network namespace",
        "Act in this network namespace, by its name in ip netns.",
        unique_group="address",
    )
    check_duplicate = Parameter(
        "Look for another holder first",
        "Before taking the address ask the network who has it, and fail if a host answers. Turn it off where a router "
        "or fabric answers in other hosts' names (proxy ARP, ARP suppression).",
        type="boolean",
        default="true",
        reloadable=True,
    )
    duplicate_timeout = Parameter(
        "Wait for another holder",
        "How long to wait for an answer; every failover takes that much longer. Half of it after a first and half "
        "after a second question. A host answers from its kernel, in well below 10 ms.",
        type="time",
        default="50ms",
        minimum=0.01,
        maximum=5,
        reloadable=True,
    )
    nodad = Parameter(
        "Skip the kernel's duplicate address detection",
        "IPv6 only: use the address at once. Without this the kernel asks too, as RFC 4862 has it, and the address "
        "is of no use for one to two seconds; check_duplicate asks the same question in less.",
        type="boolean",
        default="true",
    )
    preferred_lft = Parameter(
        "Preferred lifetime",
        "IPv6 only: seconds, or forever. With 0 the node never picks the address as the source of its own connections, "
        "which a move of the address would break.",
        default="0",
    )
    arp_count = Parameter(
        "Number of announcements",
        "How often to announce the address (gratuitous ARP or unsolicited neighbour advertisement), the first time "
        "before start returns.",
        type="integer",
        default="5",
        minimum=1,
        maximum=20,
        reloadable=True,
    )
    arp_interval = Parameter(
        "Wait between announcements",
        "How long to wait before the second announcement. Each further wait is twice as long, up to a minute.",
        type="time",
        default="200ms",
        minimum=0.01,
        maximum=60,
        reloadable=True,
    )
    refuse_for = Parameter(
        "Refuse after stop",
        "How long this node refuses new connections to the address after it gave it up, while the neighbours still send "
        "them here: refused clients try again at once, ignored ones wait a second for TCP. 0: never.",
        type="time",
        default="3s",
        minimum=0,
        maximum=60,
        reloadable=True,
    )
    check_link = Parameter(
        "A dead link is a failure",
        "Whether start and monitor fail when the interface has no link. Turn it off for interfaces that live without "
        "one, such as a bridge without ports.",
        type="boolean",
        default="true",
        reloadable=True,
    )
