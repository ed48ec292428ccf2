"""Where an address belongs, of addresses and a route that a host has. Each case names what is there."""

import pytest

from backstay.host.ip_address import parse_address
from backstay.services.vip.health import Held
from backstay.services.vip.networks import spots

LO, ETH0, ETH1 = 1, 2, 3
V4, V6 = parse_address("10.9.0.50"), parse_address("fd09::50")


def held(text, prefix, index=ETH0):
    return Held(parse_address(text).packed, prefix, index, 0)


def found(address, addresses, route=None):
    return [(spot.index, spot.prefix, spot.alone) for spot in spots(address, addresses, route)]


OWN, OTHER = held("10.9.0.1", 24), held("10.9.0.11", 24, ETH1)
AS_HOST = [(ETH0, 32, True)]

CASES = [
    ("nothing", [], None, []),
    ("another network", [held("10.8.0.1", 24)], None, []),
    ("an own address", [OWN], (ETH0, 24), AS_HOST),
    ("an own address, policy routing", [OWN], None, AS_HOST),
    ("an own address that is a host's", [held("10.9.0.1", 32)], None, []),
    ("a route alone", [], (ETH0, 24), [(ETH0, 24, False)]),
    ("two interfaces, the kernel takes the second", [OWN, OTHER], (ETH1, 24), [(ETH1, 32, True), *AS_HOST]),
    ("two interfaces, it tells of none", [OWN, OTHER], None, [*AS_HOST, (ETH1, 32, True)]),
    ("a wider network elsewhere", [OWN, held("10.0.0.1", 8, ETH1)], (ETH0, 24), AS_HOST),
    ("a route to a narrower network", [held("10.0.0.1", 8)], (ETH1, 24), [(ETH1, 24, False)]),
    ("here, beside an own one", [held("10.9.0.50", 24), OWN], None, AS_HOST),
    ("here, and nothing else tells", [held("10.9.0.50", 24)], None, [(ETH0, 24, False)]),
    ("here on the second", [OWN, OTHER, held("10.9.0.50", 32, ETH1)], None, [(ETH1, 32, True), *AS_HOST]),
    ("here on the loopback", [OWN, held("10.9.0.50", 32, LO)], None, AS_HOST),
]


@pytest.mark.parametrize(("addresses", "route", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_spots_of_ipv4(addresses, route, expected):
    assert found(V4, addresses, route) == expected


def test_spots_of_ipv6_have_the_networks_prefix():
    assert found(V6, [held("fd09::1", 64)]) == [(ETH0, 64, False)]
    assert found(V6, [held("fd09::1", 128)], (ETH0, 64)) == [(ETH0, 64, False)]
    assert found(V6, [held("fe80::1", 64)]) == []
