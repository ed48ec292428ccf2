"""Ports of this host's addresses at which the kernel drops attempts to connect (SYN), for a bounded time.

While a server is dead and its address is still here, the kernel itself refuses who connects, before any process could do
otherwise. So the packet filter drops these SYNs: a table of two sets with time-outs, `nft list table inet backstay`. An
element ends by itself, whoever dies. The table without elements drops nothing; it goes with `nft delete table inet backstay`.
closed_addresses.py has sets of its own in it.

Only `prepare` needs the program nft. An element is added through nfnetlink, since a process would cost 6 ms just when every
millisecond refuses a client. Sources: linux/netfilter/nf_tables.h, nfnetlink.h; nft(8).
"""

import errno
import os
from _socket import AF_INET, AF_NETLINK, SOCK_CLOEXEC, SOCK_RAW, socket, timeout
from struct import pack, unpack_from

from backstay.host.ip_address import Address
from backstay.host.netlink import ACK, REQUEST, attribute
from backstay.ocf.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

TABLE = "backstay"
# Before any other filter, and before connection tracking, which would keep an entry for what is dropped. `accept` ends this
# chain alone; the host's own rules follow.
SCRIPT = f"""
add table inet {TABLE}
add set inet {TABLE} held4 {{ type ipv4_addr . inet_service; flags timeout; }}
add set inet {TABLE} held6 {{ type ipv6_addr . inet_service; flags timeout; }}
add set inet {TABLE} spared4 {{ type ipv4_addr; flags timeout; }}
add set inet {TABLE} spared6 {{ type ipv6_addr; flags timeout; }}
add chain inet {TABLE} arriving {{ type filter hook prerouting priority -350; policy accept; }}
flush chain inet {TABLE} arriving
add rule inet {TABLE} arriving tcp flags & (fin|syn|rst|ack) != syn accept
add rule inet {TABLE} arriving iif lo accept
add rule inet {TABLE} arriving ip saddr @spared4 accept
add rule inet {TABLE} arriving ip6 saddr @spared6 accept
add rule inet {TABLE} arriving ip daddr . tcp dport @held4 drop
add rule inet {TABLE} arriving ip6 daddr . tcp dport @held6 drop
"""
_NFT_TIMEOUT = 5.0  # seconds; it takes milliseconds
_NETFILTER = 12  # NETLINK_NETFILTER
_NF_TABLES, _INET = 10, 1  # NFNL_SUBSYS_NFTABLES, NFPROTO_INET
_BEGIN, _END = 0x10, 0x11  # NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END
NEW, DELETE = 12, 14  # NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM
_CREATE = 0x400  # NLM_F_CREATE
_OF_TABLE, _OF_SET, _ELEMENTS = 1, 2, 3  # NFTA_SET_ELEM_LIST_*
_KEY, _TIMEOUT = 1, 4  # NFTA_SET_ELEM_*
_NESTED = 0x8000
_PATIENCE = 2.0  # seconds; the kernel answers within the call


def prepare() -> None:
    """Have the table, so that `hold` need not make it. Starts a process. Raises AgentError."""
    from backstay.host.command import run

    run(["nft", "-f", "-"], _NFT_TIMEOUT, input=SCRIPT)


def hold(address: Address, ports: "Iterable[int]", seconds: float, spared: "Iterable[Address]" = ()) -> None:
    """Drop attempts to connect to these ports from now on, for so long, but not those from the spared addresses, nor of this
    host itself. What is held already ends when it was to end. Makes the table where it is missing. Raises AgentError."""
    elements = [(_set("held", address), _place(address, port)) for port in ports]
    elements += [(_set("spared", one), one.packed) for one in spared]
    try:
        change(NEW, elements, seconds)
    except FileNotFoundError:  # nobody made it, or the firewall was loaded anew and has flushed it
        prepare()
        try:
            change(NEW, elements, seconds)
        except OSError as error:
            raise _refused(address, error) from None
    except OSError as error:
        raise _refused(address, error) from None


def release(address: Address, port: int) -> None:
    """The opposite of `hold`; fine where nothing is held. Raises AgentError."""
    try:
        change(DELETE, [(_set("held", address), _place(address, port))], 0)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EINVAL):
            return  # this kernel has no nf_tables, so nothing was ever held
        raise _refused(address, error) from None


def _refused(address: Address, error: OSError) -> AgentError:
    return AgentError(f"the packet filter holds nothing for {address.text}: {error.strerror}")


def _set(name: str, address: Address) -> str:
    return f"{name}{4 if address.family == AF_INET else 6}"


def _place(address: Address, port: int) -> bytes:
    return address.packed + pack("!Hxx", port)


def change(kind: int, elements: "list[tuple[str, bytes]]", seconds: float) -> None:
    """Add or delete the elements, all of them or none: a batch. Raises OSError with the kernel's errno."""
    with_timeout = attribute(_TIMEOUT, pack("!Q", int(seconds * 1000))) if seconds else b""
    batch = _message(0, _BEGIN, 0, 0, pack("!H", _NF_TABLES))
    for number, (name, key) in enumerate(elements, 1):
        element = attribute(_KEY | _NESTED, attribute(1, key)) + with_timeout
        body = attribute(_OF_TABLE, TABLE.encode() + b"\0") + attribute(_OF_SET, name.encode() + b"\0")
        body += attribute(_ELEMENTS | _NESTED, attribute(1 | _NESTED, element))
        create = _CREATE if kind == NEW else 0
        batch += _message(number, _NF_TABLES << 8 | kind, ACK | create, _INET, b"\0\0" + body)
    batch += _message(len(elements) + 1, _END, 0, 0, pack("!H", _NF_TABLES))
    conversation = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, _NETFILTER)
    try:
        conversation.settimeout(_PATIENCE)
        conversation.send(batch)
        answered = 0
        while answered < len(elements):
            data = conversation.recv(1 << 16)
            at = 0
            while at + 20 <= len(data):
                length, _, _, number = unpack_from("=IHHI", data, at)
                (code,) = unpack_from("=i", data, at + 16)
                if code:
                    raise OSError(-code, os.strerror(-code))
                answered += number > 0
                at += (max(length, 16) + 3) & ~3
    except timeout:
        raise OSError(errno.ETIMEDOUT, "the kernel does not answer") from None
    finally:
        conversation.close()


def _message(number: int, kind: int, flags: int, family: int, rest: bytes) -> bytes:
    """With a struct nfgenmsg: family, version 0, and the number of a subsystem or nothing, with which `rest` begins."""
    body = pack("=BB", family, 0) + rest
    return pack("=IHHII", 16 + len(body), kind, REQUEST | flags, number, 0) + body
