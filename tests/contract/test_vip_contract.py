"""ocf:backstay:vip under the OCF contract: bad input, cost, meta-data, ocf-tester."""

import os
import re
import subprocess

import pytest
from two_hosts import AGENT, V4, V6, TwoHosts, ip


@pytest.fixture
def wire(tmp_path):
    with TwoHosts(tmp_path) as hosts:
        yield hosts


# -- bad input ---------------------------------------------------------------------------------------------------------


BAD = [
    ({"ip": ""}, 6, "parameter ip is not set: The address"),
    ({"ip": "10.9.0"}, 6, "parameter ip=10.9.0: not an IPv4 or IPv6 address"),
    ({"ip": f"{V4}/24"}, 6, f"parameter ip={V4}/24: give the address alone, and the prefix as cidr_netmask"),
    ({"ip": "fe80::50"}, 6, "parameter nic is not set: fe80::50 is link-local, so name its interface"),
    ({"ip": "224.0.0.18"}, 6, "parameter ip=224.0.0.18: no host can hold a multicast, reserved or broadcast address"),
    ({"cidr_netmask": "33"}, 6, "parameter cidr_netmask=33: a prefix length from 1 to 32 is needed"),
    ({"cidr_netmask": "255.0.255.0"}, 6, "parameter cidr_netmask=255.0.255.0: not a netmask; write a prefix length"),
    ({"nic": "an-impossible-name"}, 6, "parameter nic=an-impossible-name: not an interface name (at most 15 bytes)"),
    ({"nic": "eth7"}, 1, "parameter nic=eth7: this node has no such interface; correct it or leave it out"),
    ({"ip": "10.77.0.1"}, 1, "no interface here is in the network of 10.77.0.1: set nic and cidr_netmask"),
    ({"ip": "10.77.0.1", "nic": "eth0"}, 1, "eth0 is not in the network of 10.77.0.1: set cidr_netmask"),
    ({"ip": V6, "label": "web"}, 6, "parameter label=web: only IPv4 addresses have labels; leave it out"),
    ({"label": "a-very-long-label"}, 6, "parameter label=a-very-long-label: with the interface at most 15 bytes"),
    ({"label": "elevenbytes"}, 2, "parameter label=elevenbytes: eth0:elevenbytes exceeds 15 bytes; shorten it"),
    ({"network_namespace": "../x"}, 6, "parameter network_namespace=../x: give its name in ip netns, not a path"),
    ({"arp_count": "0"}, 6, "parameter arp_count=0: at least 1 is needed"),
    ({"arp_interval": "soon"}, 6, "parameter arp_interval=soon: a time such as 3s, 500ms or 2min is needed"),
    ({"check_duplicate": "maybe"}, 6, "parameter check_duplicate=maybe: true or false is needed"),
    ({"preferred_lft": "never"}, 6, "parameter preferred_lft=never: seconds or forever is needed"),
]


@pytest.mark.parametrize(
    ("parameters", "code", "reason"), BAD, ids=[" ".join(f"{k}={v}" for k, v in b[0].items()) for b in BAD]
)
def test_bad_input_gets_one_sentence(wire, parameters, code, reason):
    given = {"address": parameters.get("ip", V4), **{k: v for k, v in parameters.items() if k != "ip"}}
    answer = wire.vip("start", **given)
    assert answer.code == code
    assert answer.reason.startswith(reason) and len(answer.reason) <= 128
    assert wire.vip("monitor", **given).code == 7
    assert wire.vip("stop", **given).code == 0
    assert wire.vip("validate-all", **given).code == (6 if code == 6 else 0)
    if code != 6 and "label" not in parameters:
        assert wire.vip("validate-all", level=10, **given).code == 2  # nobody waits for what may come


def test_validate_all_with_level_10_needs_no_link(wire):
    ip("-n", wire.lan, "link", "set", "eth0", "down")
    assert wire.vip("validate-all", level=10).code == 0


def test_reload_checks_the_new_values(wire):
    wire.started()
    assert wire.vip("reload-agent", arp_count="7").code == 0
    # What runs goes on with the values before.
    assert wire.vip("reload-agent", arp_count="many").code == 0
    told = wire.monitor(arp_count="many")
    assert told.code == 190 and told.reason.startswith(
        "parameter arp_count=many: a whole number is needed; the values before"
    )
    assert wire.monitor().code == 0


def test_an_interface_may_be_given_by_another_of_its_names(wire):
    ip("-n", wire.node, "link", "property", "add", "dev", "eth0", "altname", "enp1s0f0")
    assert wire.vip("start", nic="enp1s0f0").code == 0
    assert wire.monitor(nic="enp1s0f0").code == 0
    assert wire.vip("monitor", nic="enp1s0f0").code == 0
    assert wire.vip("stop", nic="enp1s0f0").code == 0 and not wire.has()


def test_a_place_that_is_missing_for_a_moment_is_waited_for(wire):
    """As while the network is restarted: a hard error would keep the address from the node until an admin cleans up."""
    ip("-n", wire.node, "address", "flush", "dev", "eth0", "scope", "global")
    back = f"sleep 1; ip -n {wire.node} address add 10.9.0.1/24 dev eth0"
    with subprocess.Popen(["sh", "-c", back]) as restored:
        assert wire.vip("start").code == 0
        restored.wait()


def test_unknown_action(wire):
    assert wire.vip("migrate_to").code == 3


# -- cost and conformance ----------------------------------------------------------------------------------------------


def forks(wire, action, **environ):
    """How many processes one action starts."""
    run = ["ip", "netns", "exec", wire.node, "strace", "-f", "-qq", "-e", "trace=process", "-e", "signal=none"]
    given = {"OCF_RESKEY_ip": V4, "BACKSTAY_RUN": wire.run_directory, "OCF_RESOURCE_INSTANCE": "vip", **environ}
    done = subprocess.run(
        [*run, AGENT, action], env={**os.environ, **given}, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    return len(re.findall(r"(?:clone3?|v?fork)\(", done.stderr))


@pytest.mark.parametrize("logging", [b"", b"daemon"], ids=["stderr", "syslog"])
def test_bytes_that_are_no_text_are_named_in_the_log_and_the_reason(wire, logging):
    given = {b"OCF_RESKEY_ip": b"10.9.0.\xe4\x01", b"OCF_RESOURCE_INSTANCE": b"v\xe4p", b"HA_LOGFACILITY": logging}
    done = subprocess.run([AGENT, "start"], env=given, capture_output=True, text=True, timeout=30)
    assert done.returncode == 6, done.stderr
    assert "ocf-exit-reason:parameter ip=10.9.0.\\udce4\x01: text in UTF-8 is needed\n" in done.stderr


def test_processes_started(wire):
    assert forks(wire, "start", OCF_RESKEY_arp_count="1") == 1
    assert forks(wire, "monitor", OCF_RESKEY_CRM_meta_interval="5000") == 0
    wire.started()
    assert forks(wire, "stop", OCF_RESKEY_refuse_for="100ms") == 1
    assert forks(wire, "stop", OCF_RESKEY_refuse_for="0") == 0


def test_what_a_monitor_loads(wire):
    """Start-up is most of a monitor's cost; each of these would add 2 to 20 ms to it."""
    program = (
        "import os, sys; sys.argv = ['vip', 'monitor']\n"
        "os._exit = lambda code: print(' '.join(sys.modules))\n"
        f"exec(open({AGENT!r}).read(), {{'__file__': {AGENT!r}}})"
    )
    done = subprocess.run(
        ["ip", "netns", "exec", wire.node, "/usr/bin/python3", "-IS", "-c", program],
        env={"OCF_RESKEY_ip": V4, "BACKSTAY_RUN": wire.run_directory, "OCF_RESKEY_CRM_meta_interval": "5000"},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert "backstay.services.vip.health" in loaded
    unwanted = {"socket", "selectors", "subprocess", "ctypes", "enum", "re", "json", "ipaddress", "typing"}
    ours = {
        "backstay.cluster.pacemaker",
        "backstay.ocf.metadata",
        "backstay.services.vip.packet_socket",
        "backstay.host.tcp_reset",
    }
    assert loaded & (unwanted | ours) == set()


@pytest.mark.parametrize("clone", ["", "-o CRM_meta_promoted_max=1"])
def test_ocf_tester(chamber, clone):
    """As nobody for the meta-data, then everything on a network of its own."""
    script = f"""
    ip link set lo up; ip link add eth0 type veth peer name eth1; ip link set eth1 up; ip link set eth0 up
    ip addr add 10.9.0.1/24 dev eth0
    ocf-tester -n vip -o ip=10.9.0.50 {clone} /usr/lib/ocf/resource.d/backstay/vip 2>&1
    """
    done = chamber(script, timeout=120, check=False)
    assert done.status == 0 and "passed all tests" in done.out, done.out + done.err
