"""How a broker begins, what a look at it means, who restarts after a partition, and the settings."""

import itertools

import pytest

from backstay.cluster.attributes import NEVER
from backstay.cluster.model import Cluster, Instance, Node, Resource
from backstay.services.rabbitmq import formation, health
from backstay.services.rabbitmq.admin import Admin
from backstay.services.rabbitmq.boot_errors import complaint
from backstay.services.rabbitmq.dialects import dialect_for
from backstay.services.rabbitmq.formation import ASIDE, BOOT, DATA, EMPTY, JOIN, MISPLACED, REFUSE, SEED, UNSAID, WAIT
from backstay.services.rabbitmq.observation import (
    ALIVE,
    ANSWERS,
    BOOTING,
    DRAINED,
    PAUSED,
    REFUSES,
    RUNNING,
    SILENT,
    STOPPED,
    UNKNOWN,
    Seen,
)
from backstay.services.rabbitmq.partition import heal
from backstay.services.rabbitmq.record import MalformedRecord, Record

NODES = {node: f"rabbit@{node}" for node in ("n1", "n2", "n3")}


def plan(me="n1", data=False, facts="", peers=None, running=(), down=(), patient=True, erlang="", elsewhere=()):
    record = Record.parse(facts)
    return formation.plan(
        me, data, record, peers or {}, set(running), set(down), patient, erlang or f"rabbit@{me}", elsewhere
    )


class TestBeginning:
    def test_a_broker_with_data_boots_and_is_told_whom_to_join(self):
        """RabbitMQ may take for nothing what we take for data: then it must not stand alone."""
        for peers in itertools.product((EMPTY, DATA, UNSAID), repeat=2):
            members = "members=n1:rabbit@n1,n2:rabbit@n2,n3:rabbit@n3"
            found = plan(data=True, facts=members, peers=dict(zip(("n2", "n3"), peers)))
            assert found.step == BOOT and found.targets == ("rabbit@n2", "rabbit@n3")
        assert plan(data=True, facts="members=n2:rabbit@n2", running=["rabbit@n2"]).targets == ("rabbit@n2",)

    def test_data_without_a_record_boots_once_the_others_have_said_what_they_have(self):
        assert plan(data=True, peers={"n2": DATA, "n3": EMPTY}).step == BOOT
        assert plan(data=True, peers={"n2": UNSAID}).step == WAIT
        assert plan(data=True, peers={"n2": UNSAID}, patient=False).step == BOOT
        assert plan(data=True, facts="seed=n2").step == WAIT
        assert plan(data=True, facts="seed=n2", down=["n2"]).step == BOOT

    def test_a_seed_whose_first_boot_was_cut_off_begins_again(self):
        """Whatever of its data is there: the definitions are not yet known to be in it."""
        assert plan(data=True, facts="seed=n1").step == SEED
        assert plan(data=True, facts="members=n1:rabbit@n1 seed=n1").step == BOOT

    def test_one_that_was_removed_puts_its_data_aside(self):
        assert plan(data=True, facts="members=n2:rabbit@n2 removed=n1:rabbit@n1").step == ASIDE
        assert plan(data=True, facts="members=n1:rabbit@n1 removed=n1:rabbit@n1").step == BOOT

    def test_without_data_it_joins_a_member_that_serves_and_never_begins_beside_one(self):
        members = "members=n2:rabbit@n2,n3:rabbit@n3"
        assert plan(facts=members, running=["rabbit@n3"]).targets == ("rabbit@n3",)
        for peers in itertools.product((EMPTY, DATA, UNSAID), repeat=2):
            for patient in (True, False):
                found = plan(facts=members, peers=dict(zip(("n2", "n3"), peers)), down=["n2", "n3"], patient=patient)
                assert found.step == WAIT
        assert "n2 or n3" in plan(facts=members).reason

    def test_a_directory_that_is_not_mounted_is_no_new_cluster(self):
        alone = plan(facts="members=n1:rabbit@n1")
        assert alone.step == REFUSE and alone.reason.endswith("delete the record")
        member = plan(facts="members=n1:rabbit@n1,n2:rabbit@n2", running=["rabbit@n2"])
        assert member.step == REFUSE and member.reason.endswith("name n1 in removed and then take it out again")

    def test_nobody_is_told_to_give_up_what_may_be_there_under_another_name(self):
        """The remedy for lost data ends the record, or the member's data with the cluster."""
        for members in ("members=n1:rabbit@n1", "members=n1:rabbit@n1,n2:rabbit@n2"):
            renamed = plan(facts=members, erlang="rabbit@db1", running=["rabbit@n2"])
            assert renamed.step == MISPLACED and renamed.reason.endswith("no data: set node_name=rabbit@{node}")
            moved = plan(facts=members, elsewhere=["/old/rabbit@n1"], running=["rabbit@n2"])
            assert moved.step == MISPLACED and "but /old/rabbit@n1 has: set data_directory" in moved.reason
        host = plan(facts="members=n1:rabbit@db1", erlang="rabbit@db2")
        assert host.step == MISPLACED and host.reason.endswith("set node_name, or give the host its name again")

    def test_a_node_renamed_in_the_cluster_as_well_joins_or_is_told_of_the_data_here(self):
        there = ["/var/lib/rabbitmq/mnesia/rabbit@n1"]
        assert (
            plan(me="n9", facts="members=n1:rabbit@n1,n2:rabbit@n2", running=["rabbit@n2"], elsewhere=there).step
            == JOIN
        )
        alone = plan(me="n9", facts="members=n1:rabbit@n1", elsewhere=there)
        assert alone.step == WAIT and alone.reason.endswith(f"or, if {there[0]} is its own, set node_name")

    def test_one_node_begins_a_new_cluster(self):
        """Whatever order they start in, of nodes that all have nothing exactly one begins."""
        for me in NODES:
            peers = {node: EMPTY for node in NODES if node != me}
            assert plan(me=me, peers=peers).step == (SEED if me == "n1" else WAIT)
        assert plan(me="n2", facts="seed=n1", peers={"n1": EMPTY, "n3": EMPTY}).step == WAIT
        assert plan(me="n1", facts="seed=n1").step == SEED
        assert plan(me="n2", facts="seed=n1", down=["n1"]).step == SEED

    def test_none_begins_while_a_peer_has_data_or_has_not_said(self):
        assert plan(peers={"n2": DATA}).step == WAIT
        assert plan(peers={"n2": DATA}, patient=False).step == WAIT
        assert plan(peers={"n2": UNSAID}).step == WAIT
        assert plan(peers={"n2": UNSAID}, patient=False).step == SEED

    def test_words_of_a_later_version_are_borne_and_kept(self):
        facts = Record.parse("epoch=4 members=n1:rabbit@n1 seed=n2 flag")
        assert facts.members == {"n1": "rabbit@n1"} and facts.seed == "n2"
        for changed in (facts.seeded_by("n3"), facts.with_member("n2", "rabbit@n2"), facts.without("n1", "rabbit@n1")):
            assert str(changed).endswith(" epoch=4 flag") and Record.parse(str(changed)).unknown == ("epoch=4", "flag")

    def test_the_record_reads_back(self):
        facts = Record.parse("").seeded_by("n1")
        assert str(facts) == "seed=n1"
        facts = facts.with_member("n1", "rabbit@n1").with_member("n2", "rabbit@n2")
        assert str(facts) == "members=n1:rabbit@n1,n2:rabbit@n2"
        facts = facts.without("n2", "rabbit@n2")
        assert str(Record.parse(str(facts))) == "members=n1:rabbit@n1 removed=n2:rabbit@n2"
        assert not facts.with_member("n2", "rabbit@n2").removed

    @pytest.mark.parametrize("text", ["members=n1", "members=:rabbit@n1", "members=n1:rabbit"])
    def test_what_is_no_record_is_malformed(self, text):
        with pytest.raises(MalformedRecord):
            Record.parse(text)


class TestForcedBoot:
    def ask(self, up, me="n1", down=(), allowed=True):
        sets = {node: {NODES[other] for other in others} for node, others in up.items()}
        return formation.force_boot(me, sets, NODES, set(down), allowed)

    def test_nobody_forces_while_the_last_one_is_here(self):
        found = self.ask({"n1": ["n1", "n2", "n3"], "n2": ["n2"]}, down=["n3"])
        assert not found.force and not found.missing

    def test_without_leave_the_missing_are_named(self):
        up = {"n1": ["n1", "n2", "n3"], "n2": ["n2", "n3"]}
        for me in ("n1", "n2"):
            found = self.ask(up, me=me, down=["n3"], allowed=False)
            assert not found.force and found.missing == ("n3",) and "start it" in found.reason

    def test_not_before_the_missing_is_known_to_be_down(self):
        assert not self.ask({"n1": ["n1", "n3"]}, down=[]).force

    def test_one_forces_the_one_that_went_down_last(self):
        up = {"n1": ["n1", "n2", "n3"], "n2": ["n2", "n3"]}
        assert [self.ask(up, me=me, down=["n3"]).force for me in ("n1", "n2")] == [False, True]
        alike = {"n1": ["n1", "n2", "n3"], "n2": ["n1", "n2", "n3"]}
        assert [self.ask(alike, me=me, down=["n3"]).force for me in ("n1", "n2")] == [True, False]


class TestHealth:
    def judge(self, seen, in_a_row=0, lasted=0.0, boot=None):
        return health.judge(seen, in_a_row, 2, lasted, 30, boot)

    def test_it_is_calm_while_a_monitor_would_find_nothing_to_do(self):
        whole = frozenset(NODES.values())
        seen, apart = Seen(ANSWERS, RUNNING, whole, whole), whole - {NODES["n1"]}
        assert health.calm(seen, apart).startswith("calm ")
        others = [
            health.calm(Seen(ANSWERS, RUNNING, whole, whole), frozenset()),
            health.calm(Seen(ANSWERS, RUNNING, whole, apart), apart),
            health.calm(Seen(ANSWERS, RUNNING, apart, whole), apart),
        ]
        assert len({health.calm(seen, apart), *others}) == 4 and all(others)  # whoever comes or goes makes another
        for trouble in (
            Seen(SILENT, RUNNING, whole, whole),
            Seen(ANSWERS, BOOTING, whole, whole),
            Seen(ANSWERS, RUNNING),
            Seen(ANSWERS, RUNNING, whole, whole, partitions=apart),
            Seen(ANSWERS, RUNNING, whole, whole, alarms=("disk",)),
        ):
            assert health.calm(trouble, apart) == ""

    def test_an_alarm_is_no_failure(self):
        verdict = self.judge(Seen(ANSWERS, RUNNING, alarms=("memory",)))
        assert (verdict.outcome, verdict.score) == (health.DEGRADED, health.SERVING) and "memory" in verdict.reason

    def test_what_is_unknown_is_no_failure(self):
        assert self.judge(Seen(ANSWERS, UNKNOWN)).outcome == health.OK

    def test_silence_counts_in_a_row_only(self):
        first, second = (self.judge(Seen(SILENT), count) for count in (1, 2))
        assert (first.outcome, first.score) == (health.OK, health.SERVING)
        assert (second.outcome, second.score) == (health.HUNG, NEVER)

    def test_one_whose_erlang_machine_answers_does_not_hang(self):
        for app in (RUNNING, ALIVE):
            first, later = (self.judge(Seen(SILENT, app), count) for count in (1, 9))
            assert (first.outcome, later.outcome, later.score) == (health.OK, health.DEGRADED, health.SERVING)
        assert self.judge(Seen(SILENT, STOPPED), 2).outcome == health.FAILED

    @pytest.mark.parametrize(
        ("app", "in_a_row", "lasted", "outcome"),
        [
            (STOPPED, 1, 0, health.FAILED),
            (BOOTING, 5, 99, health.DEGRADED),
            (DRAINED, 5, 99, health.DEGRADED),
            (PAUSED, 5, 29, health.DEGRADED),
            (PAUSED, 5, 31, health.FAILED),
            (RUNNING, 1, 0, health.OK),
            (RUNNING, 2, 0, health.FAILED),
            (UNKNOWN, 2, 0, health.FAILED),
        ],
    )
    def test_a_refusal_means_what_the_application_does(self, app, in_a_row, lasted, outcome):
        assert self.judge(Seen(REFUSES, app), in_a_row, lasted).outcome == outcome

    @pytest.mark.parametrize(
        ("seen", "boot", "outcome"),
        [
            (Seen(REFUSES, BOOTING), 60.0, health.DEGRADED),
            (Seen(REFUSES, UNKNOWN), 60.0, health.DEGRADED),  # Erlang itself is not up yet
            (Seen(REFUSES, STOPPED), 60.0, health.DEGRADED),  # Erlang is, the application comes
            (Seen(SILENT), 60.0, health.DEGRADED),
            (Seen(REFUSES, BOOTING), -1.0, health.FAILED),
            (Seen(SILENT), -1.0, health.FAILED),
            (
                Seen(REFUSES, PAUSED),
                -1.0,
                health.DEGRADED,
            ),  # by itself, since it sees a minority: partition_grace counts
            (Seen(ANSWERS, RUNNING), -1.0, health.OK),
        ],
    )
    def test_a_boot_that_the_start_did_not_wait_for_has_the_time_of_the_start(self, seen, boot, outcome):
        verdict = self.judge(seen, in_a_row=9, boot=boot)
        assert verdict.outcome == outcome
        assert (verdict.score == NEVER) == (outcome != health.OK)

    def test_one_that_answers_may_be_degraded_for_one_reason_at_a_time(self):
        seen = Seen(ANSWERS, RUNNING, partitions=frozenset(["n2"]), alarms=("disk",))
        verdict = self.judge(seen)
        assert (verdict.outcome, verdict.score) == (health.DEGRADED, health.SERVING)
        assert verdict.reason == "partitioned from n2"
        verdict = self.judge(seen.but(partitions=frozenset()))
        assert (verdict.outcome, verdict.score) == (health.DEGRADED, health.SERVING)
        assert verdict.reason == "alarm, publishers are blocked: disk"


class TestBelonging:
    """Whether a broker's own members fit the record."""

    def stray(self, members, facts="", full=(), leaving=(), me="n1"):
        names = {node: NODES[node] for node in full}
        return formation.stray(me, NODES[me], {NODES[node] for node in members}, Record.parse(facts), leaving, names)

    three = "members=n1:rabbit@n1,n2:rabbit@n2,n3:rabbit@n3"

    def test_one_shared_member_is_the_same_cluster(self):
        assert self.stray(["n1", "n3"], self.three) == ""
        assert self.stray(["n1", "n2"], "members=n2:rabbit@n2") == ""  # joined, and not yet recorded
        assert self.stray(["n1", "n2"], "members=n1:rabbit@n1") == ""
        assert self.stray(["n1"], "members=n1:rabbit@n1") == ""

    def test_none_is_a_second_cluster(self):
        assert self.stray(["n1"], self.three).endswith("(alone) than n2 and n3")
        assert "(alone)" in self.stray(["n1"], "members=n2:rabbit@n2")
        assert "(with rabbit@n3)" in self.stray(["n1", "n3"], "members=n2:rabbit@n2")

    def test_who_was_given_up_does_not_count(self):
        assert self.stray(["n1"], self.three, leaving=["n2", "n3"]) == ""
        assert self.stray(["n1"], self.three, leaving=["n2"])

    def test_what_is_not_known_is_no_finding(self):
        assert self.stray([], self.three) == ""

    def test_without_a_record_all_that_have_data_must_be_in_one_cluster(self):
        assert self.stray(["n1"], full=["n2"]) == "n1 and n2 have data of different clusters"
        assert self.stray(["n1", "n2"], full=["n2", "n3"]) == "n1 and n3 have data of different clusters"
        assert self.stray(["n1", "n2", "n3"], full=["n2", "n3"]) == ""
        assert self.stray(["n1"]) == ""


class TestData:
    """What RabbitMQ takes for data, as rabbit_mnesia:is_virgin_node of that version does."""

    @pytest.mark.parametrize(
        ("version", "names", "data"),
        [
            ("3.10.8", "", False),
            (
                "3.10.8",
                "coordination cluster_nodes.config nodes_running_at_shutdown quorum",
                False,
            ),  # a first boot cut off
            ("3.10.8", "coordination LATEST.LOG", True),
            ("3.10.8", "coordination stream", True),
            ("3.10.8", "coordination msg_stores", True),
            ("3.13.7", "coordination msg_stores stream rabbit@n1-feature_flags", False),
            ("3.13.7", "coordination rabbit_serial", True),
            ("3.8.9", "coordination", True),
            ("4.3.6", "", False),
            ("4.3.6", "coordination", True),  # perhaps: RabbitMQ decides
        ],
    )
    def test_names(self, version, names, data):
        assert dialect_for(version).has_data(set(names.split())) is data


def test_members_beside_the_data_of_rabbitmq_3(tmp_path):
    mnesia, file = dialect_for("3.10.8"), tmp_path / "cluster_nodes.config"
    assert mnesia.members_on_disk(str(tmp_path)) == frozenset()
    file.write_text("{[rabbit@n1,'rabbit@n-2'],[rabbit@n1]}.\n")
    assert mnesia.members_on_disk(str(tmp_path)) == {"rabbit@n1", "rabbit@n-2"}
    for text in ("", "[].", "{[", "{1,2}.", "rabbit@n1."):
        file.write_text(text)
        assert mnesia.members_on_disk(str(tmp_path)) == frozenset()
    assert dialect_for("4.3.6").members_on_disk(str(tmp_path)) == frozenset()


class TestPartition:
    members = frozenset(NODES.values())

    def test_nobody_restarts_before_the_grace_is_over(self):
        assert not heal("rabbit@n1", self.members, {"rabbit@n3"}, 29, 30).restart
        assert not heal("rabbit@n1", self.members, set(), 99, 30).restart

    def test_the_smaller_side_restarts_and_of_equal_ones_the_others(self):
        assert heal("rabbit@n1", self.members, {"rabbit@n3"}, 31, 30).restart == ("rabbit@n3",)
        assert heal("rabbit@n1", self.members, {"rabbit@n2", "rabbit@n3"}, 31, 30).restart == ("rabbit@n1",)
        two = frozenset(("rabbit@n1", "rabbit@n10"))
        assert heal("rabbit@n1", two, {"rabbit@n10"}, 31, 30).restart == ("rabbit@n10",)


CONFIGURATION = """
2026-11-24 23:07:06.200383+00:00 [error] <0.132.0> You've tried to set no_such_key, but there is no setting with that name.
2026-11-24 23:07:06.265926+00:00 [error] <0.132.0> Error preparing configuration in phase transform_datatypes:
2026-11-24 23:07:06.265965+00:00 [error] <0.132.0>   - Conf file attempted to set unknown variable: no_such_key

BOOT FAILED
===========
Error during startup: {error,failed_to_prepare_configuration}
"""
PORT = """
BOOT FAILED
===========
ERROR: could not bind to distribution port 25672 on host n1.

2026-11-24 23:08:29.298070+00:00 [error] <0.132.0>     supervisor: {local,rabbit_prelaunch_sup}
"""


FORGOTTEN = """
2026-11-29 09:58:42.369603+00:00 [notice] <0.235.0> Logging: switching to configured handler(s); following messages may

BOOT FAILED
===========
Error during startup: {error,
                          {inconsistent_cluster,
                              "Node two@n1 thinks it's clustered with node rabbit@n1, but rabbit@n1 disagrees"}}

{"Kernel pid terminated",application_controller,"{application_start_failure,rabbit,{{inconsistent_cluster}}}"}
"""
TERM = """
BOOT FAILED
===========
Error during startup: {error,
                          {schema_integrity_check_failed,
                              [{table_missing,rabbit_listener}]}}

"""


def test_a_term_that_a_boot_ended_with_is_read_whole():
    found = complaint(FORGOTTEN)
    assert found.inconsistent and not found.configuration
    assert found.text == "Node two@n1 thinks it's clustered with node rabbit@n1, but rabbit@n1 disagrees"
    found = complaint(TERM)
    assert not found.inconsistent
    assert found.text == "{error, {schema_integrity_check_failed, [{table_missing,rabbit_listener}]}}"


def test_the_telling_line_of_a_failed_boot():
    found = complaint(CONFIGURATION)
    assert found.configuration and found.text == "Conf file attempted to set unknown variable: no_such_key"
    found = complaint(PORT)
    assert not found.configuration and found.text == "ERROR: could not bind to distribution port 25672 on host n1."
    assert complaint("").text == ""


class TestAdmin:
    def of(self, record, meta=None, scores=None):
        meta = meta or {"notify": "true", "interleave": "true", "ordered": "false"}
        resource = Resource("rabbitmq", "ocf:backstay:rabbitmq", ("rabbitmq-clone",), meta=meta)
        nodes = tuple(
            Node(node, True, attributes={"master-rabbitmq": (scores or {}).get(node, "100")}) for node in NODES
        )
        instances = tuple(Instance("rabbitmq", node, "Unpromoted") for node in ("n1", "n2"))
        return Admin(resource), Cluster(
            nodes=nodes, instances=instances, facts={"rabbitmq": record}, resources=(resource,)
        )

    def test_a_member_without_a_broker_is_a_copy_less(self):
        service, cluster = self.of("members=n1:rabbit@n1,n2:rabbit@n2,n3:rabbit@n3")
        assert service.summary(cluster) == "members n1, n2, n3"
        assert [(one.level, one.what) for one in service.findings(cluster)] == [
            ("warning", "n3 is a member and runs no broker: its queues have a copy less")
        ]

    def test_one_that_does_not_serve_is_an_error(self):
        service, cluster = self.of("members=n1:rabbit@n1,n2:rabbit@n2", scores={"n2": NEVER})
        assert [(one.level, one.subject) for one in service.findings(cluster)] == [("error", "rabbitmq on n2")]
        assert service.note(cluster, cluster.instances[1]) == "does not serve"

    def test_the_clones_attributes(self):
        service, cluster = self.of("", meta={"notify": "false", "ordered": "true"})
        assert [one.what.partition("=")[0] for one in service.configuration(cluster)] == [
            "notify",
            "interleave",
            "ordered",
        ]
        assert not self.of("")[0].configuration(cluster)

    @pytest.mark.parametrize(("wait", "found"), [(None, 1), ("0s", 1), ("0", 1), ("1s", 0), ("10", 0)])
    def test_a_start_holds_up_other_services(self, wait, found):
        service, cluster = self.of("")
        service.resource = service.resource._replace(parameters={"start_wait": wait} if wait else {})
        database = Resource("mysql", "ocf:backstay:mysql", meta={"promotable": "true"})
        findings = service.configuration(cluster._replace(resources=(service.resource, database)))
        assert ["a failover of mysql waits" in one.what for one in findings] == [True] * found
        assert not service.configuration(cluster)
