"""What a look at the host means. Each case is a difference from an address that is well held."""

import pytest

from backstay.cluster.model import Cluster, Node, Resource
from backstay.ocf.codes import ExitCode
from backstay.services.vip import health
from backstay.services.vip.admin import Admin
from backstay.services.vip.health import Held, Interface, Wanted, exit_code, judge, judge_link, secondaries_lost

IP = bytes([10, 0, 0, 50])
LONGEST_ADDRESS = "2001:db8:1111:2222:3333:4444:5555:6666"


def interface(index=2, name="eth0", enabled=True, running=True):
    return Interface(index, name, enabled, running, True, b"\2\0\0\0\0\1")


def held(packed=IP, prefix=24, index=2, flags=0):
    return Held(packed, prefix, index, flags)


def wanted(nic="eth0", prefix=24, check_link=True, address="10.0.0.50", rival=""):
    return Wanted(address, nic, prefix, check_link, rival)


INTERFACES = {2: interface(), 3: interface(3, "eth1")}

CASES = [
    ("well", wanted(), [held()], INTERFACES, health.HELD),
    ("secondary", wanted(), [held(flags=health.SECONDARY)], INTERFACES, health.HELD),
    ("anywhere will do", wanted(nic="", prefix=None), [held(prefix=32, index=3)], INTERFACES, health.HELD),
    ("optimistic", wanted(), [held(flags=health.TENTATIVE | health.OPTIMISTIC)], INTERFACES, health.HELD),
    ("absent", wanted(), [], {}, health.ABSENT),
    ("contested", wanted(rival="02:00:00:00:00:99"), [], {}, health.CONTESTED),
    ("contested, and here all the same", wanted(rival="02:00:00:00:00:99"), [held()], INTERFACES, health.HELD),
    ("wrong prefix", wanted(), [held(prefix=32)], INTERFACES, health.WRONG_PREFIX),
    ("a second, wrong prefix", wanted(), [held(), held(prefix=32)], INTERFACES, health.WRONG_PREFIX),
    ("wrong interface", wanted(), [held(index=3)], INTERFACES, health.WRONG_INTERFACE),
    ("a second interface", wanted(), [held(), held(index=3)], INTERFACES, health.WRONG_INTERFACE),
    ("tentative", wanted(), [held(flags=health.TENTATIVE)], INTERFACES, health.TENTATIVELY),
    ("DAD failed", wanted(), [held(flags=health.TENTATIVE | health.DAD_FAILED)], INTERFACES, health.DUPLICATE),
    ("no link", wanted(), [held()], {2: interface(running=False)}, health.LINK_DOWN),
    ("set down", wanted(), [held()], {2: interface(enabled=False, running=False)}, health.LINK_DOWN),
    ("no link, not asked", wanted(check_link=False), [held()], {2: interface(running=False)}, health.HELD),
    (
        "no link, so still tentative",
        wanted(),
        [held(flags=health.TENTATIVE)],
        {2: interface(running=False)},
        health.LINK_DOWN,
    ),
]


@pytest.mark.parametrize(("want", "copies", "interfaces", "finding"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_findings(want, copies, interfaces, finding):
    verdict = judge(want, copies, interfaces)
    assert verdict.finding == finding
    assert bool(verdict.reason) == (finding != health.HELD)


def test_every_sentence_is_another_and_survives_pacemakers_cut():
    long = wanted(nic="enp129s0f1np1.7", prefix=64, address=LONGEST_ADDRESS)
    names = {2: interface(name="enp129s0f1np1.7"), 3: interface(3, "enp129s0f0np0.7")}
    down, off = interface(name="enp129s0f1np1.7", running=False), interface(name="enp129s0f1np1.7", enabled=False)
    reasons = [
        judge(long, [], {}).reason,
        judge(wanted(address=LONGEST_ADDRESS, rival="a host that hides its hardware address"), [], {}).reason,
        judge(long, [held(prefix=128)], names).reason,
        judge(long, [held(prefix=64, index=3)], names).reason,
        judge(long, [held(prefix=64, flags=health.TENTATIVE)], names).reason,
        judge(long, [held(prefix=64, flags=health.DAD_FAILED)], names).reason,
        judge(long, [held(prefix=64)], {2: down}).reason,
        judge(long, [held(prefix=64)], {2: off}).reason,
        judge_link(long, None).reason,
    ]
    assert len(set(reasons)) == len(reasons)
    assert [reason for reason in reasons if len(reason) > 128] == []


def test_a_standby_needs_a_live_interface():
    assert judge_link(wanted(), interface()).finding == health.STANDBY
    assert judge_link(wanted(), interface(running=False)).finding == health.LINK_DOWN
    off = judge_link(wanted(), interface(enabled=False))
    assert off.finding == health.LINK_DOWN and off.reason.startswith("eth0 is set down")
    assert judge_link(wanted(check_link=False), interface(running=False)).finding == health.STANDBY
    assert judge_link(wanted(), None).finding == health.INTERFACE_GONE


FLAWS = [health.WRONG_PREFIX, health.WRONG_INTERFACE, health.LINK_DOWN, health.TENTATIVELY]


@pytest.mark.parametrize("finding", [health.HELD, *FLAWS])
def test_a_probe_that_finds_the_address_says_so_whatever_its_flaw(finding):
    assert exit_code(finding, clone=False, probe=True, promoted=False) == ExitCode.SUCCESS
    assert exit_code(finding, clone=True, probe=True, promoted=False) == ExitCode.RUNNING_PROMOTED


@pytest.mark.parametrize("finding", [health.ABSENT, health.INTERFACE_GONE, health.DUPLICATE])
def test_a_probe_without_it(finding):
    for clone in (False, True):
        assert exit_code(finding, clone, probe=True, promoted=False) == ExitCode.NOT_RUNNING


@pytest.mark.parametrize(
    ("finding", "primitive", "promoted", "unpromoted"),
    [
        (health.HELD, 0, 8, 8),
        (health.TENTATIVELY, 190, 191, 191),
        (health.CONTESTED, 190, 191, 191),
        (health.ABSENT, 7, 9, 7),
        (health.INTERFACE_GONE, 7, 9, 7),
        (health.WRONG_PREFIX, 1, 9, 1),
        (health.WRONG_INTERFACE, 1, 9, 1),
        (health.DUPLICATE, 1, 9, 1),
        (health.LINK_DOWN, 1, 9, 1),
        (health.STANDBY, 0, 0, 0),
    ],
)
def test_codes_of_recurring_monitors(finding, primitive, promoted, unpromoted):
    assert exit_code(finding, clone=False, probe=False, promoted=False) == primitive
    assert exit_code(finding, clone=True, probe=False, promoted=True) == promoted
    assert exit_code(finding, clone=True, probe=False, promoted=False) == unpromoted


def test_secondaries_of_a_primary_are_at_risk():
    other = held(bytes([10, 0, 0, 7]), flags=health.SECONDARY)
    assert secondaries_lost(held(), [held(), other])
    assert not secondaries_lost(held(flags=health.SECONDARY), [other])
    assert not secondaries_lost(held(), [held(bytes([10, 0, 0, 7]))])
    assert not secondaries_lost(held(), [held(bytes([10, 0, 1, 7]), flags=health.SECONDARY)])
    assert not secondaries_lost(held(), [held(bytes([10, 0, 0, 7]), prefix=25, flags=health.SECONDARY)])
    assert not secondaries_lost(held(), [held(bytes([10, 0, 0, 7]), index=3, flags=health.SECONDARY)])


@pytest.mark.parametrize(("home", "found"), [("n1", []), ("", []), ("n9", ["home=n9 is no node of the cluster"])])
def test_a_home_that_is_no_node_is_a_finding(home, found):
    resource = Resource("ip", "ocf:backstay:vip", (), parameters={"home": home}, meta={"failure-timeout": "30s"})
    cluster = Cluster(nodes=(Node("n1", online=True),), instances=(), resources=(resource,))
    assert [one.what.partition(",")[0] for one in Admin(resource).configuration(cluster)] == found


@pytest.mark.parametrize(("noting", "found"), [("true", 0), ("", 1), (None, 1)])
def test_a_resource_that_notes_no_clients_is_a_finding(noting, found):
    given = {"home": "n1", "clients_of": "rabbitmq"}
    resource = Resource("ip", "ocf:backstay:vip", (), parameters=given, meta={"failure-timeout": "30s"})
    broker = Resource("rabbitmq", "ocf:backstay:rabbitmq", (), parameters={"note_clients": noting} if noting else {})
    others = () if noting is None else (broker,)
    cluster = Cluster(nodes=(Node("n1", online=True),), instances=(), resources=(resource, *others))
    assert len(Admin(resource).configuration(cluster)) == found
