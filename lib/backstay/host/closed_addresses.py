"""Addresses of this host at which nobody is served: the kernel resets what arrives for them by TCP, whoever listens on all
addresses.

An address that stands in for one of a lost host is here for one purpose only: its clients are to learn at once that their
server is gone. A server of this host that listens on all addresses would take them, and they would be cut off again when the
address goes home. So the packet filter resets: two sets in the table of held_ports.py. If the firewall is flushed, that
server takes them after all.

Sources: nft(8), "reject"; its verdict `tcp reset` answers like a host without such a connection.
"""

import errno
from _socket import AF_INET

from backstay.host.held_ports import DELETE, NEW, TABLE, change
from backstay.host.ip_address import Address
from backstay.ocf.errors import AgentError

SCRIPT = f"""
add table inet {TABLE}
add set inet {TABLE} closed4 {{ type ipv4_addr; }}
add set inet {TABLE} closed6 {{ type ipv6_addr; }}
add chain inet {TABLE} entering {{ type filter hook input priority -350; policy accept; }}
flush chain inet {TABLE} entering
add rule inet {TABLE} entering ip daddr @closed4 meta l4proto tcp reject with tcp reset
add rule inet {TABLE} entering ip6 daddr @closed6 meta l4proto tcp reject with tcp reset
"""
_NFT_TIMEOUT = 5.0  # seconds; it takes milliseconds


def close(address: Address) -> None:
    """Reset from now on what arrives for it by TCP, from this host as well. Makes the sets where they are missing, which
    starts a process. Raises AgentError."""
    try:
        try:
            change(NEW, [_element(address)], 0)
        except FileNotFoundError:
            from backstay.host.command import run

            run(["nft", "-f", "-"], _NFT_TIMEOUT, input=SCRIPT)
            change(NEW, [_element(address)], 0)
    except OSError as error:
        raise AgentError(f"the packet filter does not close {address.text}: {error.strerror}") from None


def reopen(address: Address) -> None:
    """The opposite; fine for one that is not closed. Raises AgentError."""
    try:
        change(DELETE, [_element(address)], 0)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EINVAL):
            return  # this kernel has no nf_tables, so nothing was ever closed
        raise AgentError(f"the packet filter does not open {address.text} again: {error.strerror}") from None


def _element(address: Address) -> "tuple[str, bytes]":
    return f"closed{4 if address.family == AF_INET else 6}", address.packed
