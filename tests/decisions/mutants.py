"""The steps and decisions of MySQL with one thing taken out, by name: a search through orders of events must find each."""

from __future__ import annotations

from typing import Any, NamedTuple

from backstay.cluster.overview import Ends
from backstay.services.mysql import election
from backstay.services.mysql.duty_steps import ADMISSION, BEGINNING, END_SOLO, REVIEW, reviewed
from backstay.services.mysql.next_step import Review, replica_step, review
from backstay.services.mysql.promotion_steps import PROMOTION, protocol
from backstay_lab.explorer.mysql.values import Rows
from backstay_lab.explorer.mysql.world import MEMBER, Bounds, Code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.ocf.steps import Protocol


class Mutant(NamedTuple):
    """code: with something taken out. bounds: within which it falls. fast: in a second or two. story: that loses a row, where a
    search to its depth takes many minutes: it is told, not found."""

    code: Code
    bounds: Bounds = Bounds(faults=1, promotions=1)
    fast: bool = False
    story: str = ""


def without(table: Protocol, *names: str) -> Protocol:
    assert {row[0] for row in table} >= set(names)
    return tuple(row for row in table if row[0] not in names)


def swapped(table: Protocol, one: str, other: str) -> Protocol:
    rows = {row[0]: row for row in table}
    exchanged = {one: rows[other], other: rows[one]}
    return tuple(exchanged.get(row[0], row) for row in table)


def proven(known: Any, _: Any) -> Any:
    """Without having asked."""
    return known.but(proof="none was asked")


def decided(**changes: Any) -> Code:
    return Code(promotion=protocol(**changes))


def trusting(me: str, mine: Any, record: Any, nodes: Any, reports: Any, _: Any, *more: Any) -> Any:
    """An answer is an answer, whatever the record has; and a candidate is one, whatever it lacks."""
    return election.decide(me, mine, record, nodes, reports, Rows(0), *more)


def answers(i: Any) -> Any:
    return i.said


def voters_that_answer(i: Any) -> Any:
    return {node: i.said[node] for node in i.voters if node in i.said}


def nobody(_: Any) -> Any:
    return {}


def weakened(proof: str, applies: Any = None, rests_on: Any = answers) -> Code:
    """With another question in a row of the proofs, the same where there is none, and with others whose histories it rests on."""
    table = tuple(
        ((row[0][0], rests_on), applies or row[1], *row[2:]) if row[0][0] == proof else row for row in election.PROOFS
    )
    assert table != election.PROOFS
    return decided(decide=lambda *case: election.decide(*case, proofs=table))


def regardless(me: str, mine: Any, record: Any, nodes: Any, reports: Any, *more: Any) -> Any:
    """Whoever serves."""
    closed = {
        node: election.Report(one.received, False, one.why, one.gives, one.receives, one.parted)
        for node, one in reports.items()
    }
    return election.decide(me, mine, record, nodes, closed, *more)


def of_those_that_answer(me: str, record: Any, mine: Any, reports: Any, admits: bool = True) -> frozenset[str]:
    """Who is on record and gives no answer counts no more."""
    counted = election.acknowledgers(me, record, mine, reports, admits)
    return frozenset(node for node in counted if node in reports and reports[node].received is not None)


def judged(judge: Any) -> Code:
    """Another judgement of who is dropped."""
    return Code(review=told(REVIEW, "OVERVIEW", reviewed(judge)))


def the_lost_are_dead(record: Any, followers: Any, overview: Any, *more: Any) -> Any:
    ends = {node: Ends.FENCED if node in overview.unclean else end for node, end in overview.ends.items()}
    runs = tuple(one for one in overview.instances if one.node not in overview.unclean)
    gone = overview.offline | overview.unclean
    overview = overview._replace(unclean=frozenset(), offline=gone, ends=ends, instances=runs)
    return review(record, followers, overview, *more)


def the_disconnected_are_dropped(record: Any, followers: Any, *_: Any) -> Any:
    return Review(bool(record.sync & followers < record.sync), record.sync & followers, "")


def without_quorum(record: Any, followers: Any, overview: Any, *more: Any) -> Any:
    return review(record, followers, overview._replace(quorum=True), *more)


def offline_is_dead(node: int, up: bool) -> Ends:
    if node == MEMBER:
        return Ends.STARTED if up else Ends.STOPPED
    return Ends.FENCED


def of_whoever_was_alone(me: str, record: Any, mine: Any, reports: Any, admits: bool = True) -> frozenset[str]:
    """Others count from a promotion on although the record before named nobody: one more may acknowledge by then."""
    answered = election.acknowledgers(me, None, mine, reports)
    return election.acknowledgers(me, record, mine, reports) or (answered if record.solo else frozenset())


TABLES = {
    "promotion": PROMOTION,
    "admission": ADMISSION,
    "beginning": BEGINNING,
    "end_solo": END_SOLO,
    "review": REVIEW,
}
SWAPPED: set[tuple[str, str, str]] = set()  # what `in_turn` was asked for


def in_turn(name: str, one: str, other: str) -> Code:
    """Two neighbours of a protocol the other way round."""
    SWAPPED.add((name, one, other))
    return Code(**{name: swapped(TABLES[name], one, other)})


def counting(record: Any, node: str) -> Any:
    """A replica's view of a record that has it already."""
    return record if record.solo or record.primary == node else record.changed(record.sync | {node}, solo=False)


def told(table: Protocol, name: str, answer: Any) -> Protocol:
    """With something else that follows from a step."""
    return tuple((*row[:3], answer, *row[4:]) if row[0] == name else row for row in table)


def faults(*kinds: str, promotions: int = 1, number: int = 2, alone: bool = False, disks: bool = False) -> Bounds:
    return Bounds(faults=number, promotions=promotions, kinds=frozenset(kinds), alone=alone, disks=disks)


KILLS = faults("kill")
TWICE = faults("kill", promotions=2)
SOLO = faults("kill", number=1, alone=True)
ONCE = faults("kill", number=1)
ONE_LEAVES = faults("leave", number=1)
EMPTIED = faults("kill", "empty", alone=True, disks=True)
# An acknowledger whose disk is replaced after the set's first rows, and a later row that only it had.
EMPTIED_LATER = faults("kill", "empty", number=3, disks=True)._replace(commits=2)
N2_EMPTIED = (
    "commit:n1 receive:n2 receive:n3 begin:n1 which_have:n1 record:n1 commit:n1 receive:n2"
    " kill:n2 empty:n2 kill:n1 start:n2"
)

MUTANTS: dict[str, Mutant] = {
    # rows of the proof
    "a candidate need not have what is on record": Mutant(decided(decide=trusting), TWICE),
    "the record's own primary is anybody": Mutant(weakened("own record", lambda i: not i.first and i.whole), KILLS),
    "the record's own primary with another disk": Mutant(
        weakened("own record", lambda i: not i.first and i.primary == i.me, nobody), EMPTIED
    ),
    "the witnesses' proof without their answers": Mutant(
        weakened("witnesses", lambda i: not i.solo and i.counted, voters_that_answer), KILLS
    ),
    "the witnesses' proof of one that ran alone": Mutant(
        weakened("witnesses", lambda i: not i.missing and i.vouched, voters_that_answer), SOLO, True
    ),
    "the witnesses' proof by one with another disk": Mutant(
        weakened(
            "witnesses",
            lambda i: not i.first and not i.solo and i.counted and i.vouched and set(i.voters) <= set(i.said),
            voters_that_answer,
        ),
        EMPTIED_LATER,
        story=f"{N2_EMPTIED} promote:n3 read:n3 members:n3 ask:n3 record:n3 open:n3",
    ),
    "the witnesses' proof for one with another disk": Mutant(
        weakened("witnesses", lambda i: not i.first and not i.solo and not i.missing and i.counted, voters_that_answer),
        EMPTIED_LATER,
        story=f"{N2_EMPTIED} promote:n2 read:n2 members:n2 ask:n2 fetch:n2 ask:n2 record:n2 open:n2",
    ),
    "the witnesses' proof without what they have": Mutant(weakened("witnesses", rests_on=nobody), ONCE, True),
    "the primary's proof by one with another disk": Mutant(
        weakened("primary", lambda i: not i.first and i.primary in i.said), EMPTIED
    ),
    "the primary's proof without what it has": Mutant(weakened("primary", rests_on=nobody), SOLO, True),
    "the primary's proof by any witness": Mutant(
        weakened("primary", lambda i: not i.first and i.said), KILLS._replace(nodes=4)
    ),
    "loss is always allowed": Mutant(weakened("allowed", lambda i: True), SOLO),
    "one that serves is a witness as any other": Mutant(
        decided(decide=regardless), faults("leave", number=1, alone=True), True
    ),
    "whoever left the cluster is dead": Mutant(Code(known_end=offline_is_dead), ONE_LEAVES, True),
    # whose acknowledgements count
    "others count after one that ran alone": Mutant(
        decided(acknowledgers=of_whoever_was_alone), faults("kill", promotions=2, alone=True)
    ),
    # a promotion
    "a promotion without READ": Mutant(Code(promotion=without(PROMOTION, "READ")), ONCE),
    "a promotion that applies nothing more": Mutant(
        Code(promotion=tuple((row[0], "seal", *row[2:]) if row[1] == "drain" else row for row in PROMOTION)), KILLS
    ),
    "a promotion that forgets who was missed": Mutant(
        Code(promotion=told(PROMOTION, "MEMBERS", lambda known, absent: known.but(absent=absent))),
        faults("leave", "mute"),
    ),
    "a promotion without ENDS' answer": Mutant(
        Code(promotion=told(PROMOTION, "ENDS", lambda known, _: known.but(missed=False))), ONE_LEAVES, True
    ),
    "a promotion without ASK": Mutant(Code(promotion=told(PROMOTION, "ASK", proven)), ONCE, True),
    "a promotion without FETCH": Mutant(
        Code(promotion=told(without(PROMOTION, "FETCH"), "WAIT", lambda known, _: known)), ONCE, True
    ),
    "a promotion without WAIT": Mutant(Code(promotion=without(PROMOTION, "WAIT")), ONE_LEAVES, True),
    "a promotion without RECORD": Mutant(
        Code(promotion=without(PROMOTION, "RECORD")),
        KILLS._replace(faults=3),
        story=(
            "kill:n1 promote:n2 read:n2 members:n2 ask:n2 open:n2 connect:n3 commit:n2 receive:n3 kill:n2 kill:n3"
            " start:n1 promote:n1 read:n1 members:n1 ask:n1 pause:n1 absent:n1 ask:n1 open:n1"
        ),
    ),
    "a promotion that opens before it records": Mutant(Code(promotion=swapped(PROMOTION, "RECORD", "OPEN")), TWICE),
    "a promotion without AWAIT": Mutant(Code(promotion=without(PROMOTION, "AWAIT")), TWICE),
    "a promotion that opens before it waits": Mutant(in_turn("promotion", "AWAIT", "OPEN"), TWICE),
    # the primary's duties
    "an admission of whoever follows, unrecorded": Mutant(
        Code(replica_step=lambda seen, me, record, host: replica_step(seen, me, counting(record, me), host)), KILLS
    ),
    "an end of running alone that looks before it waits": Mutant(
        Code(end_solo=swapped(without(END_SOLO, "RELEASE"), "AWAIT", "LOOK")), SOLO
    ),
    "an end of running alone that looks after the comparison": Mutant(in_turn("end_solo", "LOOK", "CATCH UP"), SOLO),
    "an end of running alone without a look at the others": Mutant(
        Code(end_solo=without(END_SOLO, "CATCH UP")), SOLO, True
    ),
    "an end of running alone by who lacks something": Mutant(
        Code(end_solo=told(END_SOLO, "CATCH UP", lambda known, _: known)), SOLO
    ),
    "an end of running alone that counts only who follows": Mutant(
        Code(
            end_solo=told(
                END_SOLO, "RUNNING", lambda known, _: known.but(new=known.record.changed(known.followers, solo=False))
            )
        ),
        faults("kill", alone=True),
    ),
    "an end of running alone without its end": Mutant(Code(end_solo=without(END_SOLO, "WHY")), SOLO),
    "an unanswered end of running alone taken as refused": Mutant(
        Code(end_solo=without(END_SOLO, "DOUBT")), faults("record", "kill", alone=True), True
    ),
    "an end of running alone in doubt too late": Mutant(
        in_turn("end_solo", "DOUBT", "RECORD"), faults("record", "kill", alone=True)
    ),
    "a review without DISMISS": Mutant(Code(review=without(REVIEW, "DISMISS")), KILLS),
    "a review without LOOK AGAIN": Mutant(Code(review=without(REVIEW, "LOOK AGAIN")), KILLS, True),
    "a review without LOOK AGAIN's answer": Mutant(
        Code(review=told(REVIEW, "LOOK AGAIN", lambda known, _: known)), KILLS
    ),
    "a review that looks again before it dismisses": Mutant(in_turn("review", "DISMISS", "LOOK AGAIN"), KILLS),
    "a review without KEEP UP": Mutant(Code(review=without(REVIEW, "KEEP UP")), KILLS, True),
    "a review that looks at those who stay first": Mutant(
        in_turn("review", "LOOK AGAIN", "KEEP UP"), KILLS._replace(faults=3)
    ),
    "a review without RECORD": Mutant(Code(review=without(REVIEW, "RECORD")), KILLS),
    "a review that lets go before it records": Mutant(in_turn("review", "RECORD", "RELEASE"), KILLS),
}

ONE_AFTER_THE_OTHER = "both are of its own server, and nobody else sees either"
A_ROUND_MORE = "its end is told a round later: until then it waits, or is refused"
NEVER_FETCHED = "nothing is fetched: it is refused where another has more"
STAYS_ALONE = "it finds nobody ready while it does not wait, and stays alone"
LEAVES_NOBODY = "of three nodes nobody is left then, and the primary is alone on record"

# Orders of two neighbours that may be the other way round, within one fault and two promotions, and why.
EITHER_WAY: dict[tuple[str, str, str], str] = {
    ("promotion", "READ", "PRESENT"): "they are asked in the same moment: a record of before or after is the same then",
    ("promotion", "PRESENT", "ERRANT"): ONE_AFTER_THE_OTHER,
    ("promotion", "ERRANT", "DRAIN"): ONE_AFTER_THE_OTHER,
    ("promotion", "DRAIN", "SUIT"): ONE_AFTER_THE_OTHER,
    ("promotion", "SUIT", "HOLD"): ONE_AFTER_THE_OTHER,
    ("promotion", "HOLD", "MEMBERS"): "HOLD is left out after the first promotion",
    ("promotion", "MEMBERS", "ENDS"): A_ROUND_MORE,
    ("promotion", "ENDS", "ASK"): A_ROUND_MORE,
    ("promotion", "ASK", "FETCH"): NEVER_FETCHED,
    ("promotion", "FETCH", "WAIT"): NEVER_FETCHED,
    ("promotion", "WAIT", "DRAIN AGAIN"): "where it waits it asks anew, and where it does not, nothing is between",
    ("promotion", "DRAIN AGAIN", "TELL"): ONE_AFTER_THE_OTHER,
    ("promotion", "TELL", "SEAL"): ONE_AFTER_THE_OTHER,
    ("promotion", "SEAL", "ACCOUNTS"): "both are left out after the first promotion",
    ("promotion", "ACCOUNTS", "CHECK"): ONE_AFTER_THE_OTHER,
    (
        "promotion",
        "CHECK",
        "RECORD",
    ): "a check that fails stops the server, and the next candidate goes by the new record",
    ("promotion", "RECORD", "MARK"): "the mark says which data were promoted; no proof rests on it",
    ("promotion", "MARK", "DROP"): ONE_AFTER_THE_OTHER,
    ("promotion", "DROP", "CEASE"): ONE_AFTER_THE_OTHER,
    ("promotion", "CEASE", "AWAIT"): ONE_AFTER_THE_OTHER,
    ("admission", "COMPARE", "DOUBT"): ONE_AFTER_THE_OTHER,
    ("admission", "DOUBT", "RECORD"): LEAVES_NOBODY,
    ("beginning", "COMPARE", "DOUBT"): ONE_AFTER_THE_OTHER,
    ("beginning", "DOUBT", "RECORD"): "a history that was recorded unanswered is recorded again",
    ("end_solo", "RELEASE", "AWAIT"): STAYS_ALONE,
    ("end_solo", "AWAIT", "LOOK"): STAYS_ALONE,
    ("end_solo", "CATCH UP", "RETURN"): "it is as alone as before, and waits until the next monitor repairs that",
    ("end_solo", "RETURN", "ALONE"): "it is as alone as before",
    ("end_solo", "ALONE", "WHY"): "the end is told first: the next monitor repairs how it waits",
    ("end_solo", "WHY", "RUNNING"): "RUNNING changes nothing where the end follows",
    ("end_solo", "RUNNING", "DOUBT"): ONE_AFTER_THE_OTHER,
    ("review", "ABSENT", "OVERVIEW"): "the wait counts only where `degrade_after` is set, and then for one review more",
    ("review", "OVERVIEW", "NOTE"): "it ends before it has judged: nobody is dropped",
    ("review", "NOTE", "DOUBT"): ONE_AFTER_THE_OTHER,
    ("review", "DOUBT", "DISMISS"): "who is leaving on record, unanswered, still counts",
    ("review", "KEEP UP", "DOUBT AGAIN"): ONE_AFTER_THE_OTHER,
    (
        "review",
        "DOUBT AGAIN",
        "RECORD",
    ): "the doubt from before DISMISS, or none: the primary counts more than the record",
    ("review", "RELEASE", "ALONE"): "it is alone on record by then",
}


class Harmless(NamedTuple):
    """A change within whose bounds nothing is lost, and why."""

    code: Code
    why: str
    bounds: tuple[Bounds, ...] = (Bounds(faults=1), Bounds(faults=1, alone=True))


HARMLESS: dict[str, Harmless] = {
    **{
        f"{protocol}: {one} and {other} the other way round": Harmless(in_turn(protocol, one, other), why)
        for (protocol, one, other), why in EITHER_WAY.items()
    },
    "the first promotion's proof": Harmless(
        weakened("first", lambda i: i.first), "the models begin with a set that was promoted"
    ),
    "the own record's proof without what others have": Harmless(
        weakened("own record", rests_on=nobody), "a primary has all it acknowledged, where its disk keeps it", (TWICE,)
    ),
    "the witnesses' proof where nobody counts": Harmless(
        weakened("witnesses", lambda i: not i.first and not i.solo and not i.missing and i.vouched, voters_that_answer),
        "a record that names nobody says that its primary ran alone",
        (TWICE,),
    ),
    "who gives no answer counts no more": Harmless(
        decided(acknowledgers=of_those_that_answer),
        "of three nodes nobody is ready then, and the new primary is alone on record",
        (faults("kill", "mute", promotions=2),),
    ),
    "a promotion without ENDS": Harmless(
        Code(promotion=without(PROMOTION, "ENDS")),
        "it is refused while the primary may serve",
        (faults("leave", "kill"),),
    ),
    "a promotion without CEASE": Harmless(
        Code(promotion=without(PROMOTION, "CEASE")), "nobody sends to a primary; it ends with the server", (TWICE,)
    ),
    "an admission of one that is behind": Harmless(
        Code(admission=without(ADMISSION, "COMPARE")), "it holds commits up, and loses none", (faults("cut", "kill"),)
    ),
    "a beginning with those that are behind": Harmless(
        Code(
            beginning=told(BEGINNING, "COMPARE", lambda known, _: known.but(new=known.record.begun(str(known.applied))))
        ),
        "who lacks the first commits cannot vouch: it is refused",
        (faults("kill", "empty", disks=True),),
    ),
    "a review without DOUBT": Harmless(
        Code(review=without(REVIEW, "DOUBT", "DOUBT AGAIN")), LEAVES_NOBODY, (faults("record", "kill"),)
    ),
    "a review without quorum": Harmless(
        judged(without_quorum), "the record is not written without quorum", (faults("lose", "kill"),)
    ),
    "a review that takes the lost for dead": Harmless(
        judged(the_lost_are_dead),
        "in the models a lost node has lost all connections, and is fenced before it is back",
        (faults("lose", "kill"),),
    ),
    "a review that drops whoever is not connected": Harmless(
        judged(the_disconnected_are_dropped), "LOOK AGAIN sees that it runs", (faults("cut", "kill"),)
    ),
}
