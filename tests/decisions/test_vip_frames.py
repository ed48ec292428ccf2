"""Frames, against byte sequences built by hand from the RFCs."""

from backstay.host.arp_ndp import announcement, claimant, probe
from backstay.host.ip_address import parse_address

V4 = parse_address("10.0.0.50")
V6 = parse_address("fd00::12:3456")
OWN, OTHER = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")

ARP = "0806 0001 0800 06 04"


def hexed(text):
    return bytes.fromhex(text.replace(" ", ""))


def test_arp_probe_claims_nothing():
    assert probe(V4, OWN) == hexed(f"ffffffffffff 020000000001 {ARP} 0001 020000000001 00000000 000000000000 0a000032")


def test_gratuitous_arp_as_request_and_as_reply():
    request, reply = announcement(V4, OWN, router=False)
    assert request == hexed(f"ffffffffffff 020000000001 {ARP} 0001 020000000001 0a000032 000000000000 0a000032")
    assert reply == hexed(f"ffffffffffff 020000000001 {ARP} 0002 020000000001 0a000032 ffffffffffff 0a000032")


def checksum_is_right(frame):
    """The Internet checksum over pseudo header and message sums to all ones."""
    data = frame[22:54] + len(frame[54:]).to_bytes(4, "big") + b"\0\0\0\x3a" + frame[54:]
    total = sum(int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF


def test_neighbour_solicitation_of_duplicate_detection():
    frame = probe(V6, OWN)
    assert frame[:14] == hexed("3333ff123456 020000000001 86dd")
    assert frame[14:54] == hexed("60000000 0018 3a ff") + bytes(16) + hexed("ff02 00000000000000000001 ff123456")
    assert frame[54] == 135 and frame[62:] == V6.packed
    assert checksum_is_right(frame)


def test_unsolicited_advertisement_overrides_and_keeps_routers():
    (frame,) = announcement(V6, OWN, router=False)
    assert frame[:14] == hexed("333300000001 020000000001 86dd")
    assert frame[22:38] == V6.packed
    assert frame[54] == 136 and frame[58] == 0x20 and frame[78:] == hexed("0201") + OWN
    assert checksum_is_right(frame)
    (routing,) = announcement(V6, OWN, router=True)
    assert routing[58] == 0xA0 and checksum_is_right(routing)


def arp(sender_mac, sender_ip, target_ip="10.0.0.50", operation="0002"):
    return (
        hexed(f"ffffffffffff 020000000009 {ARP} {operation}")
        + sender_mac
        + parse_address(sender_ip).packed
        + bytes(6)
        + parse_address(target_ip).packed
    )


def test_who_claims_an_ipv4_address():
    assert claimant(arp(OTHER, "10.0.0.50"), V4, OWN) == "02:00:00:00:00:02"
    assert claimant(arp(OTHER, "10.0.0.50", operation="0001"), V4, OWN) == "02:00:00:00:00:02"
    assert claimant(arp(OWN, "10.0.0.50"), V4, OWN) is None
    assert claimant(arp(OTHER, "10.0.0.7"), V4, OWN) is None
    assert claimant(probe(V4, OTHER), V4, OWN) is None  # it only asks
    assert claimant(b"short", V4, OWN) is None


def test_who_claims_an_ipv6_address():
    def message(frame):
        return frame[54:]

    (other,), (own,) = announcement(V6, OTHER, False), announcement(V6, OWN, False)
    assert claimant(message(other), V6, OWN) == "02:00:00:00:00:02"
    assert claimant(message(own), V6, OWN) is None
    assert claimant(message(other), parse_address("fd00::99"), OWN) is None
    assert claimant(message(other)[:24], V6, OWN) == "a host that hides its hardware address"
    assert claimant(message(probe(V6, OTHER)), V6, OWN) is None
