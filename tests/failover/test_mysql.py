"""Every fault once, on a real cluster under load: nothing acknowledged is lost, never two servers writable, one server
acknowledges at a time, and afterwards the set is whole. `backstay rehearse` does the same many times and measures."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from judged import is_clean
from labs import Labs
from resting import Resting, dated

from backstay.host.deadline import Deadline, poll
from backstay.services.mysql.dialects.base import FOREVER
from backstay.services.mysql.health import DETACHED, HEALTHY
from backstay_lab.checkers.operations import Operations
from backstay_lab.machines import logs
from backstay_lab.machines.cluster import Lab
from backstay_lab.nemesis.fault import Cost
from backstay_lab.nemesis.stage import Stage
from backstay_lab.run.false_alarms import measure
from backstay_lab.run.rehearsal import WHOLE_TIMEOUT, Manner, Outcome, rehearse
from backstay_lab.systems.mysql.faults import FAULTS
from backstay_lab.systems.mysql.workload import MysqlSet

BUSY = 5.0  # times the bound for the worst run: a guard against hanging on any machine; `rehearse` has the figures
FLOOR = 20.0  # the same for membership, election of a coordinator and fencing, seconds
# What `make test` tries elsewhere too: an admin's switchover (test_admin), a campaign's smoke, the only replica of two lost; and
# a pause is a hang that ends sooner.
ELSEWHERE = ("move", "address-removed", "partition-replica", "pause")


@pytest.fixture
def sid(labs: Labs) -> Lab:
    return labs.get("mysql", image="sid")


def check(outcome: Outcome) -> None:
    """No finding, and writes came back within the fault's bound where it has one."""
    said = f"{outcome.verdict}, gap {outcome.gap:.2f} s; acknowledged by the one that was hit: {outcome.unsilenced}"
    assert is_clean(outcome), said
    assert math.isfinite(outcome.gap)
    cost = FAULTS[outcome.fault].cost
    assert outcome.gap <= cost.worst * BUSY
    if cost.elsewhere:
        assert outcome.now != outcome.was
    if cost.moves == 0:
        assert outcome.now == outcome.was
    assert outcome.operations["database"].done > 0


def test_the_topology_serves_an_unprivileged_account(three: Lab) -> None:
    mysql = MysqlSet(three)
    mysql.wait_whole(60)
    assert len(mysql.readers) == 3
    assert mysql.sql("SELECT COUNT(*) FROM marker", *mysql.readers.values()) == [[[1]]] * 3
    assert mysql.sql("SELECT * FROM mysql.user", mysql.writer) == [None]
    assert mysql.sql("SET GLOBAL read_only = 1", mysql.writer) == [None]


def test_validation_names_another_nodes_server_id(three: Lab) -> None:
    """It silently drops events, and only the running cluster shows it."""
    mysql = MysqlSet(three)
    mysql.wait_whole(60)
    primary = mysql.primary()
    replica = next(node for node in three.nodes if node != primary)
    theirs, own = (mysql.root(node, "SELECT @@server_id") for node in (primary, replica))
    check = ["crm_resource", "--validate=10", "--resource", mysql.name]
    assert three.run(replica, check, check=False).status == 0
    mysql.root(replica, f"SET GLOBAL server_id = {theirs}")
    done = three.run(replica, check, check=False)
    mysql.root(replica, f"SET GLOBAL server_id = {own}")
    assert done.status != 0
    assert f"server id {theirs} is also that of {primary}" in done.out + done.err


@pytest.mark.parametrize(
    "name",
    [
        "kill",
        "hang",
        "replica-crash",
        "partition-primary",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("passwords", *ELSEWHERE)),
    ],
)
def test_writes_survive(three: Lab, tmp_path: Path, name: str) -> None:
    check(rehearse(MysqlSet(three), FAULTS[name], str(tmp_path)))


def test_an_applications_failed_operations_are_counted_by_what_the_server_said(three: Lab, tmp_path: Path) -> None:
    mysql = MysqlSet(three)
    mysql.wait_whole(240)
    node = mysql.primary()
    with mysql.application(str(tmp_path)) as application:

        def counted(since: float) -> Operations:
            return application.counts([since], time.monotonic())[0]["database"]

        gone = time.monotonic()
        mysql.root(node, "RENAME TABLE app.operations TO app.elsewhere")
        poll(lambda: counted(gone).failed > 10, Deadline(30), "operations to fail", interval=0.1)
        mysql.root(node, "RENAME TABLE app.elsewhere TO app.operations")
        back = time.monotonic()
        poll(lambda: counted(back).done > 10, Deadline(30), "operations to be done again", interval=0.1)
        application.finish()
    assert set(counted(gone).errors) == {"1146"}
    assert counted(back).failed < counted(gone).failed


def test_silence_is_not_told_in_maintenance(three: Lab) -> None:
    mysql = MysqlSet(three)
    mysql.wait_whole(240)
    node = mysql.primary()

    def verdict(word: str) -> bool:
        return word in three.run(node, ["cat", "/run/backstay/mysql/verdict"], check=False).out.split()

    poll(lambda: verdict("ok"), Deadline(30), "the watcher to find the server well", interval=0.2)
    three.run(node, ["crm_attribute", "-n", "maintenance-mode", "-v", "true"])
    marks = mysql.log_marks()
    three.fault("hang", node, "mysql")
    try:
        poll(lambda: verdict("silent"), Deadline(60), "the watcher to find the server silent", interval=0.2)
        said = "asked twice: not told"
        poll(lambda: mysql.logged_since(marks, said), Deadline(60), "its reason not to tell", interval=0.2)
    finally:
        three.fault("resume", node, "mysql")
        three.run(node, ["crm_attribute", "-n", "maintenance-mode", "-D"])
    mysql.wait_whole(60)
    assert mysql.primary() == node
    assert "fail-count" not in three.run(node, ["crm_mon", "-1", "-f"]).out


@pytest.mark.slow
def test_a_node_in_maintenance_keeps_its_own_watcher_quiet_and_no_other(three: Lab) -> None:
    mysql = MysqlSet(three)
    mysql.wait_whole(240)
    primary = mysql.primary()
    second, aside = (node for node in three.nodes if node != primary)

    def unmanaged() -> bool:
        crm = three.cluster_status()
        return crm is not None and crm.find(f"nodes/node[@name='{aside}'][@maintenance='true']") is not None

    three.run(primary, ["crm_attribute", "-N", aside, "-n", "maintenance", "-v", "true"])
    try:
        poll(unmanaged, Deadline(30), f"{aside} to be in maintenance", interval=0.5)
        marks = mysql.log_marks()
        three.fault("kill", primary, "mysql")
        told = "mysql.*died: telling the cluster"
        poll(lambda: mysql.logged_since(marks, told), Deadline(30), "the primary's death to be told", interval=0.2)
        poll(lambda: mysql.in_role("Promoted") == [second], Deadline(60), f"{second} to be promoted", interval=0.5)
        three.fault("kill", aside, "mysql")
        said = "mysql.*died: not told"
        poll(lambda: mysql.logged_since(marks, said), Deadline(30), "its reason not to tell", interval=0.2)
    finally:
        three.run(second, ["crm_attribute", "-N", aside, "-n", "maintenance", "-D"])
    mysql.cleanup(primary)
    mysql.cleanup(aside)
    mysql.wait_whole(240)


def test_a_calm_replicas_monitor_rests_on_a_fresh_verdict_alone(three: Lab) -> None:
    mysql = MysqlSet(three)
    mysql.wait_whole(240)
    node = next(node for node in three.nodes if node != mysql.primary())
    monitor = Resting(three, node, "mysql", "backstay.services.mysql.connect", "Unpromoted")
    monitor.check(30)
    mysql.root(node, "STOP REPLICA SQL_THREAD")
    poll(lambda: not monitor.calm(), Deadline(60), "the watcher to see that the applier stands still", interval=0.1)
    poll(monitor.calm, Deadline(60), "the monitor to start it again", interval=0.5)
    # What was published may be gone once the node's controller has ended. By its age this note would do for half a minute.
    noted = f"{dated(0)} && stat -c %i calm > /tmp/noted"
    poll(lambda: monitor.sh(noted), Deadline(60), "a note", interval=0.1)
    monitor.sh("pkill -KILL -x pacemaker-contr")
    noted_again = "! [ -e calm ] || [ $(stat -c %i calm) != $(cat /tmp/noted) ]"
    poll(lambda: monitor.sh(noted_again), Deadline(20), "the watcher to take the note away", interval=0.2)
    mysql.wait_whole(240)


def test_nothing_is_told_while_nothing_fails(three: Lab) -> None:
    """Load, no processor to spare, watchers that stood still, planned stops. `make test-alarms` takes an hour of it."""
    count = measure(three, minutes=0, stops=6)
    assert count.stops == 6 and count.stopped_watchers >= 4
    assert count.told == []


@pytest.mark.slow  # test_refusals loses it under harder conditions, and a campaign's smoke does
def test_writes_survive_the_loss_of_the_primarys_node(three: Lab, tmp_path: Path) -> None:
    outcome = rehearse(MysqlSet(three), FAULTS["power-off"], str(tmp_path))
    check(outcome)
    assert outcome.gap <= FLOOR


@pytest.mark.slow
def test_a_killed_server_rejoins_by_itself_after_the_failure_timeout(three: Lab, tmp_path: Path) -> None:
    check(rehearse(MysqlSet(three), FAULTS["kill"], str(tmp_path), Manner(clean_up=False)))


def test_rows_that_are_only_in_relay_logs_survive(three: Lab, tmp_path: Path) -> None:
    check(rehearse(MysqlSet(three), FAULTS["relay-log"], str(tmp_path)))


@pytest.mark.parametrize("order", [("n3", "n1", "n2")])
def test_a_blackout_loses_nothing(three: Lab, tmp_path: Path, order: tuple[str, ...]) -> None:
    check(rehearse(MysqlSet(three), FAULTS["blackout"], str(tmp_path), Manner(order)))


@pytest.mark.slow
def test_whoever_is_promoted_after_a_blackout_has_a_full_score_by_then(three: Lab, tmp_path: Path) -> None:
    """It had a low one, and the old primary, whose server may come up during the promotion, has a full one: it must not be
    preferred."""

    def others_first(stage: Stage[MysqlSet]) -> Callable[[], None]:
        for node in three.nodes:
            three.power_off(node)
        for node in stage.others:
            three.power_on(node)
        return lambda: three.power_on(stage.leader)

    mysql = MysqlSet(three)
    mysql.wait_whole(WHOLE_TIMEOUT)
    marks = mysql.log_marks()
    fault = FAULTS["blackout"]._replace(inflict=others_first, cost=Cost(elsewhere=True))
    outcome = rehearse(mysql, fault, str(tmp_path))
    check(outcome)
    assert outcome.now != outcome.was
    own = [three.disk(outcome.now, log) for log in logs.LOGS]
    log = "\n".join(line for path, lines in logs.since(marks).items() if path in own for line in lines)
    promoted = log.rindex(f"Result of promote operation for mysql on {outcome.now}: ok")
    scores = list(re.finditer(rf"status-{outcome.now[1:]}-master-mysql\b.*value=\"?(\d+)", log))
    assert [score[1] for score in scores if score.start() < promoted] == [str(DETACHED), str(HEALTHY)]


@pytest.mark.slow
def test_a_promotion_that_was_soon_taken_back_leaves_nothing_waiting(three: Lab) -> None:
    """Its source is not forgotten yet, so it goes on replicating, and each commit waited for an acknowledgement: for ever."""
    mysql = MysqlSet(three)
    mysql.wait_whole(WHOLE_TIMEOUT)
    primary = mysql.primary()
    replica = next(node for node in three.nodes if node != primary)
    mysql.root(replica, f"SET GLOBAL rpl_semi_sync_master_timeout = {FOREVER}")
    mysql.root(replica, "SET GLOBAL rpl_semi_sync_master_enabled = ON")
    mysql.wait_whole(60)  # a new row is there
    assert mysql.root(replica, "SELECT @@rpl_semi_sync_master_enabled") == "0"


@pytest.mark.slow
def test_a_replica_whose_executor_died_is_soon_promotable_again(three: Lab) -> None:
    """Pacemaker takes the node's attributes out of the CIB then, and its attribute daemon believes that they are there."""
    mysql = MysqlSet(three)
    mysql.wait_whole(WHOLE_TIMEOUT)
    replica = next(node for node in three.nodes if node != mysql.primary() and not mysql.is_dc(node))

    def score() -> str:
        query = ["cibadmin", "-Q", "--xpath", f"//node_state[@uname='{replica}']//nvpair[@name='master-mysql']"]
        return three.run(replica, query, check=False).out.partition('value="')[2].partition('"')[0]

    assert score() == str(HEALTHY)
    three.fault("kill", replica, "pacemaker-execd")
    poll(lambda: not score(), Deadline(30), "the score to be lost")
    poll(lambda: score() == str(HEALTHY), Deadline(90), "the score to be there again", interval=0.5)
    mysql.wait_whole(WHOLE_TIMEOUT)


def test_two_nodes_go_on_when_one_is_lost_and_say_so_first(two: Lab, tmp_path: Path) -> None:
    outcome = rehearse(MysqlSet(two), FAULTS["lose-replica"], str(tmp_path))
    check(outcome)
    at = outcome.phases
    assert at["fenced"] < at["alone"] < at["first write"] <= at["fenced"] + 5 * BUSY


@pytest.mark.parametrize("name", ["kill", pytest.param("move", marks=pytest.mark.slow)])
def test_writes_survive_with_oracle_mysql(sid: Lab, tmp_path: Path, name: str) -> None:
    check(rehearse(MysqlSet(sid), FAULTS[name], str(tmp_path)))
