"""Who holds acknowledged rows is on record at every moment, on a real cluster: orders of events that no single fault meets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from backstay.host.deadline import Deadline, poll
from backstay_lab.machines.cluster import Lab
from backstay_lab.systems.mysql.workload import MysqlSet


@contextmanager
def deaf(mysql: MysqlSet, node: str) -> Iterator[None]:
    """What the writer address sends does not reach the node; what others ask of it, and it of them, does."""
    writer = urlsplit(mysql.writer).hostname
    hook = "type filter hook input priority 0;"
    rules = f"add table ip deaf; add chain ip deaf in {{ {hook} }}; add rule ip deaf in ip saddr {writer} tcp sport 3306 drop"
    mysql.lab.run(node, ["nft", rules])
    try:
        yield
    finally:
        mysql.lab.run(node, ["nft", "delete", "table", "ip", "deaf"])


def recorded(mysql: MysqlSet) -> dict[str, str]:
    return dict(field.split("=", 1) for field in mysql.facts().split())


def reviewed(mysql: MysqlSet, primary: str) -> None:
    """Have the primary's monitor review who acknowledges, and see that it did."""
    note = f"/run/backstay/{mysql.name}/reviewed"
    mysql.lab.run(primary, ["rm", "-f", note])
    poll(lambda: mysql.lab.run(primary, ["test", "-e", note], check=False).status == 0, Deadline(60), "a review", 0.2)


def leave_the_cluster(lab: Lab, node: str) -> None:
    """End the node's cluster software, as `systemctl stop pacemaker corosync` does."""
    script = """
    for program in pacemakerd corosync; do
        pkill -TERM -x $program || continue
        while kill -0 $(pgrep -o -x $program) 2> /dev/null && ! grep -q '^State:.Z' /proc/$(pgrep -o -x $program)/status; do
            sleep 0.1
        done
    done
    """
    lab.run(node, ["sh", "-c", script], timeout=60)


def come_back(lab: Lab, node: str) -> None:
    """Begin it again, as `systemctl start corosync pacemaker` does."""
    script = """
    setsid corosync -f > /dev/null 2>&1 &
    until corosync-cmapctl -b runtime.members 2> /dev/null | grep -q joined; do sleep 0.1; done
    setsid pacemakerd > /dev/null 2>&1 &
    """
    lab.run(node, ["sh", "-c", script], timeout=60)


def begin(mysql: MysqlSet, primary: str) -> None:
    mysql.root(primary, "DROP TABLE IF EXISTS app.kept; CREATE TABLE app.kept (id INT PRIMARY KEY)")


def insert(mysql: MysqlSet, primary: str, value: int) -> None:
    """A row that is acknowledged when this returns."""
    mysql.root(primary, f"INSERT INTO app.kept VALUES ({value})")


def rows(mysql: MysqlSet, node: str) -> str:
    return mysql.root(node, "SELECT GROUP_CONCAT(id ORDER BY id) FROM app.kept")


def test_a_new_set_and_one_after_a_loss_of_all_power_are_never_alone(three: Lab) -> None:
    """All witnesses had everything: they count from the promotion on, and join at once."""
    mysql = MysqlSet(three)
    mysql.wait_whole(120)
    assert not mysql.logged_since({}, "recording .* solo=yes")
    begin(mysql, mysql.primary())
    marks = mysql.log_marks()
    for node in three.nodes:
        three.power_off(node)
    for node in three.nodes:
        three.power_on(node)
    poll(lambda: mysql.logged_since(marks, "recording epoch"), Deadline(120), "a promotion")
    primary = poll(lambda: (mysql.in_role("Promoted") or [None])[0], Deadline(60), "a primary", 0.1)
    poll(lambda: mysql.sql("SELECT 1", mysql.writer) != [None], Deadline(60), "the address", 0.1)
    insert(mysql, primary, 1)
    time.sleep(1)  # the moment that is tried, not a wait for anything
    three.fault("kill", primary, "mysql")
    poll(lambda: mysql.in_role("Promoted") not in ([], [primary]), Deadline(60), "another to be promoted", 0.1)
    mysql.wait_whole(120)
    assert not mysql.logged_since(marks, "recording .* solo=yes")
    assert {rows(mysql, node) for node in three.nodes} == {"1"}
    mysql.root(mysql.primary(), "DROP TABLE app.kept")


def test_who_lacks_what_the_last_primary_was_promoted_with_waits_for_it(three: Lab) -> None:
    """Two promotions in a row, while one replica receives nothing: the row is with the two that fail."""
    mysql = MysqlSet(three)
    mysql.wait_whole(120)
    first = mysql.primary()
    second, third = (node for node in three.nodes if node != first)
    begin(mysql, first)
    three.run(first, ["crm_resource", "--ban", "--resource", mysql.clone, "--node", third, "--promoted"])
    marks = mysql.log_marks()
    with deaf(mysql, third):
        insert(mysql, first, 1)
        three.fault("kill", first, "mysql")
        poll(lambda: mysql.in_role("Promoted") == [second], Deadline(60), f"{second} to be promoted", 0.1)
        poll(lambda: recorded(mysql)["primary"] == second, Deadline(60), "the record", 0.1)
        three.run(second, ["crm_resource", "--clear", "--resource", mysql.clone])
        three.fault("kill", second, "mysql")
        poll(lambda: mysql.logged_since(marks, f"not promoted: .*{second}"), Deadline(60), "a refusal", 0.1)
    mysql.wait_whole(180)
    assert {rows(mysql, node) for node in three.nodes} == {"1"}
    mysql.root(mysql.primary(), "DROP TABLE app.kept")


def test_a_server_that_runs_on_without_its_cluster_stays_on_record(three: Lab) -> None:
    """A clean end of the cluster software in maintenance: the server goes on acknowledging, and may hold the only copy."""
    mysql = MysqlSet(three)
    mysql.wait_whole(120)
    primary = mysql.primary()
    left, other = (node for node in three.nodes if node != primary)
    begin(mysql, primary)
    three.run(primary, ["crm", "node", "maintenance", left])
    leave_the_cluster(three, left)
    poll(lambda: left not in three.online(), Deadline(60), f"{left} to leave", 0.2)
    reviewed(mysql, primary)
    assert left in recorded(mysql)["sync"].split(",")

    with deaf(mysql, other):
        insert(mysql, primary, 1)  # acknowledged by the one that left
        three.fault("kill", primary, "mysql")
        poll(lambda: mysql.in_role("Promoted") == [other], Deadline(60), f"{other} to be promoted", 0.1)
    assert rows(mysql, other) == "1"

    come_back(three, left)
    poll(lambda: left in three.online(), Deadline(60), f"{left} to come back", 0.2)
    three.run(other, ["crm", "node", "ready", left])
    mysql.wait_whole(180)
    assert {rows(mysql, node) for node in three.nodes} == {"1"}
    mysql.root(mysql.primary(), "DROP TABLE app.kept")
