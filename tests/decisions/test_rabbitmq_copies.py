"""Which queues count as short of copies, what is done about each, when, and what is told."""

from __future__ import annotations

import itertools

import pytest

from backstay.services.rabbitmq import mirror_policy
from backstay.services.rabbitmq.dialects.mnesia import _fewer, _short
from backstay.services.rabbitmq.etf import Atom, Malformed, Opaque, atom, node_of
from backstay.services.rabbitmq.mirror_policy import (
    ADD,
    BEHIND,
    GONE,
    GRACE,
    IDLE,
    RENEW,
    REPLACE,
    SYNCHRONISE,
    SYNCHRONISED,
    SYNCHRONISING,
    UNKNOWN,
    WAIT,
    WORKING,
    Mirror,
    Note,
    Notes,
    Short,
    remedy,
    wanted_mirrors,
)
from backstay_lab.systems.rabbitmq.workload import copies_of

ALL = frozenset(("rabbit@n1", "rabbit@n2", "rabbit@n3"))
TWO = ALL - {"rabbit@n3"}


def short(queue: str = "q", vhost: str = "/") -> Short:
    mirrors = [Mirror(1, "rabbit@n2", True), Mirror(2, "rabbit@n3", False)]
    return Short(("resource", vhost, "queue", queue), vhost, queue, 0, mirrors, 2)


class TestWanted:
    @pytest.mark.parametrize(
        ("definition", "three", "two"),
        [
            ({"ha-mode": "all"}, 2, 1),
            ({"ha-mode": "exactly", "ha-params": 2}, 1, 1),
            ({"ha-mode": "exactly", "ha-params": 1}, 0, 0),
            ({"ha-mode": "exactly", "ha-params": 5}, 2, 1),
            ({"ha-mode": "nodes", "ha-params": ["rabbit@n1", "rabbit@n3"]}, 1, 0),
            ({"ha-mode": "nodes", "ha-params": ["rabbit@n9"]}, 0, 0),
            ({"ha-mode": "exactly"}, 0, 0),
            ({"ha-mode": "nodes", "ha-params": 2}, 0, 0),
            ({"ha-mode": "of a plugin"}, 0, 0),
            ({"max-length": 5}, 0, 0),
        ],
    )
    def test_as_many_as_the_policy_says_and_run(self, definition: dict, three: int, two: int) -> None:
        given = {**definition, "ha-sync-mode": "automatic"}
        assert (wanted_mirrors(given, ALL), wanted_mirrors(given, TWO)) == (three, two)
        assert wanted_mirrors(given, frozenset()) == 0

    @pytest.mark.parametrize("mode", [{}, {"ha-sync-mode": "manual"}])
    def test_who_synchronises_by_hand_is_left_to_it(self, mode: dict) -> None:
        assert wanted_mirrors({"ha-mode": "all", **mode}, ALL) == 0


class TestRemedy:
    @pytest.mark.parametrize(
        ("states", "leader", "tries", "expected"),
        [
            ([SYNCHRONISED], IDLE, 0, ADD),
            ([SYNCHRONISED], WORKING, 7, ADD),
            ([], IDLE, 0, ADD),
            ([BEHIND], IDLE, 5, ADD),  # what is there is synchronised with what is added
            ([SYNCHRONISED], SYNCHRONISING, 0, WAIT),
            ([SYNCHRONISED, BEHIND], IDLE, 0, SYNCHRONISE),
            ([SYNCHRONISED, BEHIND], WORKING, 0, SYNCHRONISE),
            ([SYNCHRONISED, BEHIND], SYNCHRONISING, 9, WAIT),
            ([SYNCHRONISED, BEHIND], IDLE, 1, RENEW),
            ([SYNCHRONISED, BEHIND], WORKING, 1, SYNCHRONISE),  # it may be synchronising: nothing is dropped
            ([BEHIND, UNKNOWN], IDLE, 0, SYNCHRONISE),
            ([SYNCHRONISED, UNKNOWN], IDLE, 9, WAIT),
            ([SYNCHRONISED, GONE], IDLE, 0, REPLACE),
            ([SYNCHRONISED, GONE], SYNCHRONISING, 9, REPLACE),
            ([GONE], IDLE, 0, REPLACE),
            ([BEHIND, GONE], IDLE, 9, REPLACE),
            ([SYNCHRONISED, SYNCHRONISED], IDLE, 9, WAIT),  # it is well by now
        ],
    )
    def test_the_table(self, states: list[str], leader: str, tries: int, expected: str) -> None:
        assert remedy(states, 2, leader, tries) == expected

    def test_a_mirror_is_dropped_only_where_its_leader_is_idle_and_asking_did_not_help(self) -> None:
        every = (SYNCHRONISED, BEHIND, GONE, UNKNOWN)
        rows = itertools.chain.from_iterable(itertools.product(every, repeat=count) for count in range(4))
        for states, leader, tries in itertools.product(rows, (IDLE, WORKING, SYNCHRONISING), range(3)):
            found = remedy(states, 2, leader, tries)
            assert found != RENEW or (leader == IDLE and tries >= 1 and BEHIND in states and GONE not in states)
            assert found == WAIT or leader != SYNCHRONISING or GONE in states


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        ([("rabbit_mirror_queue_sync", "master_send_receive"), ("gen_server2", "handle_msg")], SYNCHRONISING),
        ([("prim_file", "read"), ("rabbit_variable_queue", "fold"), ("rabbit_mirror_queue_sync", "bq_fold")], SYNCHRONISING),
        ([("gen_server2", "process_next_msg"), ("proc_lib", "wake_up")], IDLE),
        ([("erlang", "hibernate")], IDLE),
        ([("erlang", "binary_to_term"), ("gen_server2", "handle_msg")], WORKING),
        ([("rabbit_variable_queue", "publish")], WORKING),
        ([], WORKING),
    ],
)  # fmt: skip
def test_what_a_leader_does_shows_on_its_stack(stack: list[tuple[str, str]], expected: str) -> None:
    assert mirror_policy.doing(stack) == expected


class TestNotes:
    def test_rabbitmq_is_left_to_itself_first(self) -> None:
        notes = Notes.parse("").after(ALL, ["a", "b"], 100.0)
        assert notes.due(100 + GRACE - 1) == []
        assert notes.due(100 + GRACE) == ["a", "b"]
        later = notes.after(ALL, ["b", "c"], 100 + GRACE)
        assert later.due(100 + GRACE) == ["b"]  # a is well again, c is new

    def test_a_node_that_came_or_went_begins_the_wait_anew(self) -> None:
        notes = Notes.parse("").after(ALL, ["a"], 100.0).tried("a", SYNCHRONISE, 150.0)
        assert notes.after(ALL, ["a"], 200.0).queues["a"].tries == 1
        anew = notes.after(TWO, ["a"], 200.0).queues["a"]
        assert (anew.since, anew.tries, anew.due) == (200.0, 0, 200 + GRACE)

    def test_what_does_not_help_is_tried_ever_more_rarely(self) -> None:
        notes, now, pauses = Notes(ALL, {"a": Note(0.0, 0, GRACE)}), GRACE, []
        for _ in range(12):
            notes = notes.tried("a", SYNCHRONISE, now)
            pauses.append(notes.queues["a"].due - now)
            now = notes.queues["a"].due
        assert pauses[:3] == [2 * GRACE, 4 * GRACE, 8 * GRACE]
        assert pauses == sorted(pauses) and pauses[-1] == 3600

    def test_one_that_waits_lets_others_go_first_and_loses_nothing(self) -> None:
        notes = Notes(ALL, {"a": Note(0.0, 0, GRACE), "b": Note(5.0, 0, 5 + GRACE)})
        notes = notes.tried("a", WAIT, 100.0)
        assert notes.queues["a"].tries == 0
        assert notes.due(200.0) == ["b", "a"]

    def test_they_read_back(self) -> None:
        found = [short("of\nlines", "a b"), short("q \xe9")]
        notes = Notes.parse("").after(ALL, [one.key for one in found], 12.0).tried(found[0].key, ADD, 60.0)
        again = Notes.parse(str(notes))
        assert again.running == ALL
        assert {key: (one.since, one.tries, one.due) for key, one in again.queues.items()} == {
            found[0].key: (12, 1, 60 + 2 * GRACE),
            found[1].key: (12, 0, 12 + GRACE),
        }

    @pytest.mark.parametrize(
        "text", ["", "\n", "rabbit@n1\n", "\na 1 2", "\na 1 2 x", "\na -1 0 0", "\na 1 0 ²", "\n" + "9" * 99]
    )
    def test_what_is_no_note_is_none(self, text: str) -> None:
        assert Notes.parse(text).queues == {}


class TestTold:
    def told(self, found: list[Short], held: str = "", since: float = 0.0) -> str:
        notes = Notes(ALL, {one.key: Note(since, 0, 0.0) for one in found})
        return mirror_policy.reason(found, notes, 100.0, held)

    def test_nothing_is_told_while_rabbitmq_is_left_to_itself(self) -> None:
        assert self.told([short()], since=100 - GRACE + 1) == ""
        assert self.told([]) == ""

    def test_how_many(self) -> None:
        assert self.told([short("b", "app"), short("a", "app")]) == "2 queue(s) short of synchronised mirrors"

    def test_why_nothing_is_done(self) -> None:
        assert self.told([short()], "not synchronised during an alarm").endswith(
            " mirrors, not synchronised during an alarm"
        )


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            ["running", "5", "<rabbit@n1.7.0>", "[<rabbit@n2.7.0>, <rabbit@n3.7.0>]", "[<rabbit@n3.7.0>, <rabbit@n2.7.0>]"],
            "",
        ),
        (
            ["running", "5", "<rabbit@n1.7.0>", "[<rabbit@n2.7.0>, <rabbit@n3.7.0>]", "[<rabbit@n2.7.0>]"],
            "q (led by n1, up to date n2, behind n3; running, 5 messages)",
        ),
        (
            ["running", "5", "<rabbit@n1.7.0>", "[<rabbit@n2.7.0>]", "[<rabbit@n2.7.0>]"],
            "q (led by n1, up to date n2, none on n3; running, 5 messages)",
        ),
        (["", "", "", "", ""], "q (led by nobody, up to date nowhere else, none on n1, n2, n3; no state, unknown messages)"),
        (
            ["running", "0", "rabbit@n2", "[rabbit@n1, rabbit@n2, rabbit@n3]", "[rabbit@n1, rabbit@n2]"],
            "q (led by n2, up to date n1, behind n3; running, 0 messages)",
        ),
    ],
)  # fmt: skip
def test_a_rehearsal_says_which_copies_a_queue_has(row: list[str], expected: str) -> None:
    assert copies_of("q", row, ["n1", "n2", "n3"]) == expected


def pid(node: str, number: int = 1) -> Opaque:
    return Opaque("pid", b"X" + atom(node) + number.to_bytes(4, "big") + bytes(8))


def test_a_row_of_the_brokers_table() -> None:
    name = (Atom("resource"), b"app", Atom("queue"), b"led\xffger")
    mirrors = [pid("rabbit@n2"), pid("rabbit@n3", 7)]
    found = _short(name, pid("rabbit@n1"), mirrors, [pid("rabbit@n3", 7)], 2)
    assert (found.vhost, found.queue, found.name, found.wanted) == ("app", "led\\xffger", name, 2)
    assert [(mirror.node, mirror.synchronised) for mirror in found.mirrors] == [
        ("rabbit@n2", False),
        ("rabbit@n3", True),
    ]
    with pytest.raises(Malformed):
        node_of(Opaque("reference", b""))


def test_the_question_names_the_policy_and_how_many_are_wanted() -> None:
    policy = [(Atom("vhost"), b"app"), (Atom("name"), b"backstay")]
    record, guards, body = _fewer(policy, 2)
    assert len(record) == 21 and record[10] == policy
    assert guards == [("<", ("length", "$4"), 2)]
    assert body == [(("$1", "$2", "$3", "$4", 2),)]
