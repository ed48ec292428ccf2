"""What is remembered of the clients of other nodes' daemons."""

from backstay.agent import clients
from backstay.host.ip_address import parse_address
from backstay.host.state_files import Files

ONE, TWO = "10.0.0.9:40000 -> 10.0.0.1:5672", "[fd00::9]:40001 -> [fd00::1]:5672"


def known(files, address):
    return [(peer.text, port, own) for peer, port, own in clients.connected(files, parse_address(address))]


def test_of_each_address_its_own(tmp_path):
    files = Files(str(tmp_path))
    clients.note(files, {"rabbit@n1": [ONE, TWO, "<rabbit@n1.1.2.3>", "host:1 -> host:2"], "rabbit@n2": []})
    assert known(files, "10.0.0.1") == [("10.0.0.9", 40000, 5672)]
    assert known(files, "fd00::1") == [("fd00::9", 40001, 5672)]
    assert known(files, "10.0.0.2") == []


def test_what_was_seen_last_of_a_lost_node_stays_until_it_is_seen_again(tmp_path):
    files = Files(str(tmp_path))
    clients.note(files, {"rabbit@n1": [ONE], "rabbit@n2": [TWO]})
    clients.note(files, {"rabbit@n2": []})
    assert known(files, "10.0.0.1") == [("10.0.0.9", 40000, 5672)]
    assert known(files, "fd00::1") == []
    clients.note(files, {"rabbit@n1": []})
    assert known(files, "10.0.0.1") == []


def test_where_nothing_was_noted_nobody_is_known(tmp_path):
    assert known(Files(str(tmp_path / "nowhere")), "10.0.0.1") == []
