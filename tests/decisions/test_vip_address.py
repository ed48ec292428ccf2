"""What an admin may write as an address and a prefix."""

import pytest

from backstay.host.ip_address import parse_address, parse_prefix


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.0.0.50", "10.0.0.50"),
        ("127.0.0.5", "127.0.0.5"),
        ("2001:DB8:0:0:0:0:0:50", "2001:db8::50"),
        ("fe80::50", "fe80::50"),
    ],
)
def test_addresses_become_canonical(text, canonical):
    assert parse_address(text).text == canonical


@pytest.mark.parametrize(
    "text",
    [
        *("", "10.0.0", "10.0.0.300", "10.0.0.50 ", "10.0.0.5\0", "\uff110.0.0.1", "vip.example.org"),
        *("10.0.0.50/24", "fe80::1%eth0", "::ffff:10.0.0.50"),
        *("0.0.0.0", "::", "224.0.0.18", "ff02::1", "255.255.255.255"),
    ],
)
def test_what_no_host_can_hold_is_refused(text):
    with pytest.raises(ValueError):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "prefix"), [("", None), ("24", 24), ("32", 32), ("255.255.255.0", 24), ("255.255.255.255", 32)]
)
def test_prefixes_of_ipv4(text, prefix):
    assert parse_prefix(text, parse_address("10.0.0.50")) == prefix


@pytest.mark.parametrize("text", ["0", "33", "-1", "24.", "/24", "255.0.255.0", "0.0.0.0", "x", "²"])
def test_what_is_no_prefix_of_ipv4(text):
    with pytest.raises(ValueError):
        parse_prefix(text, parse_address("10.0.0.50"))


def test_prefixes_of_ipv6():
    address = parse_address("fd00::50")
    assert parse_prefix("128", address) == 128
    for wrong in ("129", "255.255.255.0"):
        with pytest.raises(ValueError):
            parse_prefix(wrong, address)


def test_link_local():
    assert parse_address("fe80::1").link_local
    assert parse_address("febf::1").link_local
    assert not parse_address("fec0::1").link_local


def test_mapped():
    assert parse_address("10.0.0.50").mapped.hex() == "00000000000000000000ffff0a000032"
