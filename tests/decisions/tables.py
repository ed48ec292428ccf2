"""The page docs/reference/tables.md, made from the tables that the code executes. `make tables` writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from backstay.ocf.codes import ExitCode
from backstay.ocf.steps import LEFT
from backstay.services.haproxy import health as haproxy_health
from backstay.services.mysql import claims, duty_steps, election, health, next_step, promotion_steps, start_steps
from backstay.services.rabbitmq import boot_steps, formation, membership_steps, mirror_policy
from backstay.services.rabbitmq import health as broker
from backstay.services.vip import health as vip_health
from backstay.watch import liveness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.ocf.steps import Protocol as Steps
    from backstay.ocf.table import Table

PAGE = Path(__file__).parents[2] / "docs/reference/tables.md"
HEAD = """# Tables of decisions

This page is made from the code by `make tables`: these are the tables that the agents execute. A table is read from above,
and the first row that applies decides.
"""

STEPS = """# Steps of protocols

The agents execute these tables from above; "on" is the next row. A step's verb is what it does, with the longest time that it
may take where that is not all that the action has. [`make explore`](../exploring.md) tries every order of events on these tables.
"""


class Shown(NamedTuple):
    """One table of the page. columns: what its rows decide. cells: that, from a row's result."""

    title: str
    module: str
    text: str
    table: Table[Any, Any]
    columns: tuple[str, ...]
    cells: Callable[[Any], tuple[str, ...]]


def _step(step: next_step.Step) -> tuple[str, ...]:
    return (step.name,)


def _replica(judgement: tuple[int | str, Callable[..., bool], Callable[..., str]]) -> tuple[str, ...]:
    score, readable, _ = judgement
    return str(score), words(readable)


def exit_code(code: ExitCode) -> str:
    return next(f"{code:d} {name}" for name, known in vars(ExitCode).items() if known is code)


def _proxy(row: tuple[str, Callable[..., str]]) -> tuple[str, ...]:
    finding = haproxy_health.FINDINGS[row[0]]
    return finding.name, exit_code(finding.code), exit_code(finding.promoted)


def words(function: Callable[..., object]) -> str:
    return function.__name__.replace("_", " ").strip()


TABLES = [
    Shown(
        "MySQL: may this node become the primary?",
        "services/mysql/election",
        "A node that Pacemaker wants to promote must prove that it holds every acknowledged transaction. A proof rests on what"
        " others hold: what this node lacks of that, it fetches first. An answer that lacks what the recorded primary was"
        " promoted with is none. Before all this a server that is writable ends it, and so does, at a first promotion, another"
        " node with whose data the set has to begin.",
        election.PROOFS,
        ("proof", "rests on"),
        lambda proof: (proof[0], words(proof[1])),
    ),
    Shown(
        "MySQL: whose data does a set begin with?",
        "services/mysql/claims",
        "Asked at the first promotion, where nobody's history need tell it: what was written without a binary log is in none.",
        claims.CLAIMS,
        ("the candidate",),
        lambda row: (row[0],),
    ),
    Shown(
        "MySQL: a replica's next step",
        "services/mysql/next_step",
        "What the monitor of a server that is not promoted does, one step a time.",
        next_step.REPLICA,
        ("step",),
        _step,
    ),
    Shown(
        "MySQL: the primary's next step",
        "services/mysql/next_step",
        "What the monitor of the promoted server does. Solo means that it does not wait for acknowledgements.",
        next_step.PRIMARY,
        ("step",),
        _step,
    ),
    Shown(
        "MySQL: what a replica is worth",
        "services/mysql/health",
        "The score with which Pacemaker picks whom to promote, and whether readers may come. By lag: yes up to `max_lag`, then"
        " no until it is down to a third of that; as before while the lag is unknown.",
        health.REPLICA,
        ("score", "readable"),
        _replica,
    ),
    Shown(
        "Watchers: what a row of looks comes to",
        "watch/liveness",
        "A watcher looks at its daemon every second, and at once after UNSURE and STARVED. Of SILENT it tells the cluster, once.",
        liveness.FINDINGS,
        ("finding",),
        lambda finding: (finding.name,),
    ),
    Shown(
        "RabbitMQ: how a broker begins",
        "services/rabbitmq/formation",
        "Boot with its data, begin a cluster (seed), join one, wait, or refuse. A cluster is begun once, by one node.",
        formation.PLANS,
        ("it",),
        lambda row: (row[0],),
    ),
    Shown(
        "RabbitMQ: what a look at a broker means",
        "services/rabbitmq/health",
        "With the score for promotion. Hung is failed, and not worth another question.",
        broker.JUDGEMENTS,
        ("outcome", "score"),
        lambda row: (row[0], str(row[1])),
    ),
    Shown(
        "RabbitMQ: a mirrored queue that lacks synchronised copies",
        "services/rabbitmq/mirror_policy",
        "What is done about a queue (RabbitMQ 3) that stays short of copies while all nodes run. Attempts that do not help are"
        " made ever more rarely.",
        mirror_policy.REMEDIES,
        ("remedy",),
        lambda remedy: (remedy,),
    ),
    Shown(
        "Addresses: what a look finds",
        "services/vip/health",
        "Of an address that shall be here. Every copy of it must be right.",
        vip_health.ADDRESS,
        ("finding",),
        lambda row: (row[0],),
    ),
    Shown(
        "Addresses: could it be of use here?",
        "services/vip/health",
        "Of a node where the address may come.",
        vip_health.STANDBY_LINK,
        ("finding",),
        lambda row: (row[0],),
    ),
    Shown(
        "Addresses: the monitor's exit code",
        "services/vip/health",
        "A probe asks only whether the address is here."
        " A promotable clone answers 0 and 8 for 190 and 191, and an attribute says what is wrong"
        " ([why](../decisions/0028-no-degraded-results-where-roles-change.md)).",
        vip_health.EXIT_CODES,
        ("code",),
        lambda code: (exit_code(code),),
    ),
    Shown(
        "HAProxy: what a look finds",
        "services/haproxy/health",
        "With the monitor's exit code, of a plain resource or where it is not promoted, and where it is."
        " A promotable clone answers 0 and 8 for 190 and 191, and an attribute says what is wrong"
        " ([why](../decisions/0028-no-degraded-results-where-roles-change.md)).",
        haproxy_health.JUDGEMENTS,
        ("finding", "code", "promoted"),
        _proxy,
    ),
]


class Protocol(NamedTuple):
    """The steps of one protocol."""

    title: str
    module: str
    text: str
    table: Steps


PROTOCOLS = [
    Protocol(
        "MySQL: the steps of a start",
        "services/mysql/start_steps",
        "What start does with a server that does not run. Those from REPLAY to VOUCH are in `services/mysql/rescue_steps`: a"
        " monitor does them as well, where a start was cut short or its replay takes long.",
        start_steps.START,
    ),
    Protocol(
        "MySQL: the steps of a promotion",
        "services/mysql/promotion_steps",
        "What promote does, in the order that makes it safe. What fails ends it, closed.",
        promotion_steps.PROMOTION,
    ),
    Protocol(
        "MySQL: the steps that admit a replica",
        "services/mysql/duty_steps",
        "By the primary's monitor (ADMIT): a follower gets on record, and may then acknowledge.",
        duty_steps.ADMISSION,
    ),
    Protocol(
        "MySQL: the steps that begin a record's history",
        "services/mysql/duty_steps",
        "By the primary's monitor (BEGIN), in a set that began with nothing.",
        duty_steps.BEGINNING,
    ),
    Protocol(
        "MySQL: the steps that end running alone",
        "services/mysql/duty_steps",
        "By the primary's monitor (END_SOLO).",
        duty_steps.END_SOLO,
    ),
    Protocol(
        "MySQL: the steps of a review",
        "services/mysql/duty_steps",
        "By the primary's monitor (REVIEW): who surely cannot acknowledge any more leaves the record; where nobody is left the"
        " primary goes on alone.",
        duty_steps.REVIEW,
    ),
    Protocol(
        "RabbitMQ: the steps of a start",
        "services/rabbitmq/boot_steps",
        "How a broker boots, begins a cluster (a seed), or joins one. What fails ends it; Pacemaker stops the broker then.",
        boot_steps.BEGINNING,
    ),
    Protocol(
        "RabbitMQ: the steps that keep the record of members",
        "services/rabbitmq/membership_steps",
        "By the promoted instance's monitor, where its broker's members are not those of its copy of the record, or one of those"
        " leaves for good.",
        membership_steps.KEEPING,
    ),
    Protocol(
        "RabbitMQ: the steps that heal a partition",
        "services/rabbitmq/membership_steps",
        "By the promoted instance's monitor, once a partition has lasted for `partition_grace`.",
        membership_steps.HEALING,
    ),
]


def steps(shown: Protocol) -> str:
    rows = [
        f"| {name} | {verb}{'' if seconds == LEFT else f', {seconds:g} s'} | {then} | {why} |"
        for name, verb, _, _, seconds, then, why in shown.table
    ]
    head = ["| step | verb | then | why |", "| --- | --- | --- | --- |"]
    return "\n".join([f"## {shown.title}", "", f"{shown.text} Code: `{shown.module}`.", "", *head, *rows, ""])


def markdown(shown: Shown) -> str:
    def lines() -> Iterator[str]:
        for cells in ((*shown.columns, "when", "why"), *((*shown.cells(row[0]), *row[2:]) for row in shown.table)):
            yield f"| {' | '.join(cells)} |"

    head, *rows = lines()
    rule = "| --- " * (len(shown.columns) + 2) + "|"
    return "\n".join([f"## {shown.title}", "", f"{shown.text} Code: `{shown.module}`.", "", head, rule, *rows, ""])


def page() -> str:
    return "\n".join([HEAD, *map(markdown, TABLES), STEPS, *map(steps, PROTOCOLS)])


if __name__ == "__main__":
    PAGE.write_text(page())
