"""What the lab can do to networks, memory and processors beside cutting them off."""

import os
import re
import time

import pytest

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import TimedOut
from backstay_lab.machines import volume
from backstay_lab.machines.cluster import Lab
from backstay_lab.machines.layout import LabError
from backstay_lab.machines.limits import Limit


def listening(lab: Lab, node: str, ports: "list[int]") -> None:
    """A program in the node that takes connections on these ports for as long as the node lives."""
    take = "import signal, socket; held = [socket.create_server(('', port)) for port in map(int, sys.argv[1:])]; signal.pause()"
    start = f'python3 -c "import sys; {take}" "$@" < /dev/null > /dev/null 2>&1 &'
    lab.run(node, ["sh", "-c", start, "sh", *map(str, ports)])


def connects(lab: Lab, node: str, address: str, port: int) -> bool:
    ask = f"import socket; socket.create_connection(('{address}', {port}), 2)"
    return lab.run(node, ["python3", "-c", ask], check=False).status == 0


def test_a_port_alone_is_cut_and_what_another_wants_cut_stays_cut(whole: Lab) -> None:
    listening(whole, "n2", [7001, 7002])
    poll(lambda: connects(whole, "client", "10.77.0.12", 7002), Deadline(30), "the ports to be taken")
    pairs = whole.between("client", ["n2"])
    whole.impair("ports", pairs, 7001)
    whole.impair("ports", pairs, 7001)
    whole.repair("ports", pairs, 7001)
    assert not connects(whole, "client", "10.77.0.12", 7001)
    assert connects(whole, "client", "10.77.0.12", 7002)
    assert connects(whole, "n1", "10.77.0.12", 7001)
    whole.repair("ports", pairs, 7001)
    assert connects(whole, "client", "10.77.0.12", 7001)


def test_packets_are_lost_and_a_slow_link_is_slow(whole: Lab) -> None:
    def answered() -> int:
        said = whole.run("client", ["ping", "-c", "100", "-i", "0.01", "-W", "1", "10.77.0.12"], check=False).out
        return int(re.search(r"(\d+) received", said)[1])  # type: ignore[index]

    pairs = whole.between("client", ["n2"])
    whole.impair("lossy", pairs)
    assert 15 <= answered() <= 80  # 0.7 * 0.7 of a hundred, and 4 standard deviations or more either way
    whole.repair("lossy", pairs)
    assert answered() == 100
    whole.impair("lossy", pairs, 5)
    assert 65 <= answered() <= 99  # 0.95 * 0.95, likewise; all hundred come back once in 28,000 times
    whole.repair("lossy", pairs, 5)
    with pytest.raises(LabError, match="lossy takes 5, 10"):
        whole.impair("lossy", pairs, 7)
    whole.slow("n2")
    flood = ["ping", "-f", "-c", "200", "-s", "1400", "-W", "2", "10.77.0.12"]
    begun = time.monotonic()
    whole.run("client", flood, check=False)
    assert time.monotonic() - begun > 0.5  # 290 kB at 2 Mbit/s take 1.1 s, what is lost less
    whole.hasten("n2")
    assert answered() == 100


def test_a_nodes_memory_is_limited_and_its_processor_time(whole: Lab) -> None:
    init = whole.layout.init_of("client")
    assert init is not None
    # What enters a node from outside is in the group of whoever entered; this one is there before the limit is.
    served = "until [ -e /tmp/served ]; do sleep 0.05; done"
    hungry = f"{served}; python3 -c 'x = bytearray(64 << 20)' && touch /tmp/sated; touch /tmp/over"

    def sated(limited: bool) -> bool:
        whole.run("client", ["rm", "-f", "/tmp/served", "/tmp/sated", "/tmp/over"])
        whole.run("client", ["sh", "-c", f"({hungry}) < /dev/null > /dev/null 2>&1 &"])
        limit = Limit.impose(init, "memory", {"memory.limit_in_bytes": str(16 << 20)}) if limited else None
        whole.run("client", ["touch", "/tmp/served"])
        over = ["test", "-e", "/tmp/over"]
        poll(lambda: whole.run("client", over, check=False).status == 0, Deadline(60), "the meal to be over")
        if limit:
            limit.lift()
            limit.lift()  # again is no error
            assert not os.path.exists(limit.path)
        return whole.run("client", ["test", "-e", "/tmp/sated"], check=False).status == 0

    assert not sated(limited=True)
    assert sated(limited=False)
    quota = Limit.impose(init, "cpu", {"cpu.cfs_quota_us": "10000"})
    with open(os.path.join(quota.path, "cpu.cfs_quota_us"), encoding="ascii") as value:
        assert value.read().strip() == "10000"
    quota.lift()


def test_the_beginning_of_an_action_is_seen(whole: Lab) -> None:
    monitor = "BACKSTAY_RUN=/tmp OCF_RESKEY_ip=10.9.9.9 /usr/lib/ocf/resource.d/backstay/vip monitor"
    again = f"for i in $(seq 30); do {monitor}; sleep 0.1; done"
    whole.run("n1", ["sh", "-c", f"({again}) < /dev/null > /dev/null 2>&1 &"])
    assert whole.wait_for_action("n1", "vip", "monitor", 30.0)
    assert not whole.wait_for_action("n1", "vip", "start", 0.3)


def test_a_frozen_volume_stops_writers_but_not_the_power_cord(whole: Lab) -> None:
    write = ["sh", "-c", f"echo x > {volume.PLACE}/x"]
    whole.run("n3", write)
    volume.freeze(whole.layout, "n3")
    with pytest.raises(TimedOut):
        whole.run("n3", write, timeout=1)
    volume.thaw(whole.layout, "n3")
    volume.thaw(whole.layout, "n3")  # again is no error
    whole.run("n3", write)
    volume.freeze(whole.layout, "n3")
    whole.run("n3", ["sh", "-c", f"(echo y > {volume.PLACE}/y) < /dev/null > /dev/null 2>&1 &"])
    begun = time.monotonic()
    whole.power_off("n3")
    assert time.monotonic() - begun < 15  # what does not die is waited for twenty seconds
    whole.power_on("n3")
    assert whole.run("n3", ["cat", f"{volume.PLACE}/x"]).out == "x\n"


def test_a_volume_is_full_by_itself(whole: Lab) -> None:
    said = whole.run("n3", ["sh", "-c", f"dd if=/dev/zero of={volume.PLACE}/filler bs=1M"], check=False)
    assert "No space left" in said.err
    whole.run("n3", ["sh", "-ec", f"echo x > /var/tmp/x; rm {volume.PLACE}/filler; echo x > {volume.PLACE}/x"])
