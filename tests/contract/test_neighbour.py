"""Hearing that an address moved, from a real kernel's neighbour table."""

from __future__ import annotations

from tests.conftest import Chamber  # type: ignore[import-not-found]

SCRIPT = r"""
ip link add eth0 type veth peer name eth1; ip link set eth0 up; ip link set eth1 up; ip addr add 10.9.0.1/24 dev eth0
ip neigh add 10.9.0.5 lladdr 02:00:00:00:00:01 dev eth0 nud stale
cat > /tmp/hear.py <<'END'
import os, sys
from backstay.host.ip_address import parse_address
from backstay.host.neighbor_table import Neighbour
heard = Neighbour(parse_address("10.9.0.5"))
for holder in sys.argv[1:]:
    address, _, mac = holder.partition("=")
    os.system(f"ip neigh replace {address} lladdr 02:00:00:00:00:{mac} dev eth0 nud reachable")
    print(holder, heard.moved())
END
python3 /tmp/hear.py 10.9.0.5=01 10.9.0.6=02 10.9.0.5=02 10.9.0.5=01
"""


def test_only_another_holder_of_this_address_is_a_move(chamber: Chamber) -> None:
    said = chamber(SCRIPT).out.split()
    assert said[1::2] == ["False", "False", "True", "True"]
