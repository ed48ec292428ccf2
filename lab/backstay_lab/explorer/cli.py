"""`backstay explore`: every order of events of a small world, with the steps and decisions of the agents."""

from __future__ import annotations

import multiprocessing
import random
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from backstay_lab.explorer.mysql import story as of_mysql
from backstay_lab.explorer.mysql.world import Bounds, Mysql
from backstay_lab.explorer.rabbitmq import story as of_rabbitmq
from backstay_lab.explorer.rabbitmq import world as brokers
from backstay_lab.explorer.search import Found, NoSuchEvent, heals, replay, search

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGINNINGS = ("healthy", "alone")
MYSQL, RABBITMQ = "mysql", "rabbitmq"
SAMPLE, RUNS, LONG = 200, 3, 600  # states from which it must heal, tries from each, events of a try
CORES = 2
FURTHER = ("disks", "degrade", "hands")
# The bounds of `make explore` where none is given, by what differs from `Bounds`; for each beginning. The long ones first.
TABLE: tuple[dict[str, Any], ...] = (
    {"faults": 3, "promotions": 2},
    {"faults": 2, "promotions": 2, "commits": 2},
    {"faults": 2, "promotions": 2, "nodes": 4},
    {"faults": 2, "promotions": 2, "degrade": True},
    {"faults": 2, "promotions": 2, "disks": True},
    {"faults": 2, "promotions": 2, "hands": True},
)
# Of brokers, by the beginning.
BROKERS: dict[str, int] = {"nothing": 2, "dark": 3, "replacement": 2, "removal": 2}


class Search(NamedTuple):
    """What one search is asked to do."""

    beginning: str
    bounds: Bounds | brokers.Bounds
    depth: int = 1000
    seconds: float = 600.0

    @property
    def world(self) -> Mysql | brokers.Rabbitmq:
        if isinstance(self.bounds, brokers.Bounds):
            return brokers.Rabbitmq(bounds=self.bounds)
        return Mysql(bounds=self.bounds)


@click.command("explore")
@click.argument("service", type=click.Choice([MYSQL, RABBITMQ, "all"]), default="all")
@click.option("--faults", type=int, help="The most that may go wrong in one order of events: 2 unless it is given.")
@click.option("--promotions", type=int, help="The most of these: 1. Of MySQL.")
@click.option("--commits", type=int, help="The most of these: 1. Of MySQL.")
@click.option("--nodes", type=int, help="Servers: 3. Of MySQL.")
@click.option("--disks", is_flag=True, default=None, help="Disks may be replaced by empty ones. Of MySQL.")
@click.option("--hands", is_flag=True, default=None, help="An admin stops replication, or writes, by hand. Of MySQL.")
@click.option("--degrade", is_flag=True, default=None, help="The primary goes on alone after degrade_after. Of MySQL.")
@click.option("--depth", default=1000, show_default=True, help="The most events of an order.")
@click.option("--seconds", default=600.0, show_default=True, help="For each search.")
@click.option(
    "--beginning",
    type=click.Choice([*BEGINNINGS, *brokers.BEGINNINGS]),
    help="Of the orders of events; all unless it is given.",
)
@click.option("--replay", "story", metavar="EVENTS", help="Tell this story, as an earlier search printed it.")
def command(service: str, story: str | None, beginning: str | None, depth: int, seconds: float, **limits: Any) -> None:
    """Try every order of events of a set of SERVICE, and tell the shortest that loses an acknowledged row, or makes a second
    cluster of brokers. Without any bound: by all bounds of its table, two at a time."""
    given = {name: value for name, value in limits.items() if value is not None}
    searches = [
        one._replace(depth=depth, seconds=seconds)
        for one in (*of_databases(given), *of_brokers(given.get("faults")))
        if beginning in (None, one.beginning)
        and (service == "all" or (service == MYSQL) == isinstance(one.bounds, Bounds))
    ]
    if not searches:
        raise click.UsageError(f"{service} has no beginning {beginning}")
    if story is not None:
        click.echo("\n".join(_replayed(story, searches[0])))
        return
    click.echo(HEAD)
    failed = False
    # A process of its own for each: what one remembers is of no use to another.
    with multiprocessing.get_context("fork").Pool(CORES, maxtasksperchild=1) as pool:
        for search, (found, lines) in zip(searches, pool.imap(explored, searches, 1)):
            click.echo("\n".join([row(search, found), *lines]))
            failed = failed or bool(lines)
    raise SystemExit(int(failed))


def of_databases(given: dict[str, Any]) -> list[Search]:
    return [Search(begin, bounds(begin, one)) for one in ([given] if given else TABLE) for begin in BEGINNINGS]


def of_brokers(faults: int | None) -> list[Search]:
    return [Search(begin, brokers.Bounds(BROKERS[begin] if faults is None else faults, begin)) for begin in BROKERS]


def bounds(beginning: str, limits: dict[str, Any]) -> Bounds:
    return Bounds(**{"promotions": 1, **limits, "alone": beginning == "alone"})


def explored(asked: Search) -> tuple[Found, list[str]]:
    """What a search came to; lines on what is wrong, [] for nothing."""
    world = asked.world
    found = search(world, asked.depth, asked.seconds, every=1000)
    if found.wrong:
        again = f"make explore REPLAY='{' '.join(found.story)}' EXPLORE='{_options(asked)}'"
        return found, [found.wrong, *_told(world, found.story), again]
    lines = list(_that_do_not_heal(world, found))
    return found._replace(sample=[]), lines


def _told(world: Mysql | brokers.Rabbitmq, story: list[str]) -> list[str]:
    return of_mysql.told(world, story) if isinstance(world, Mysql) else of_rabbitmq.told(world, story)


HEAD = (
    f"{'service':8}  {'beginning':11}  {'faults':>6}  {'promotions':>10}  {'commits':>7}  {'nodes':>5}  {'with':7}"
    f"  {'states':>10}  {'events':>11}  {'depth':>5}  {'seconds':>7}  bound"
)


def row(asked: Search, found: Found) -> str:
    limits = asked.bounds
    of = (RABBITMQ, "", "", len(brokers.NODES), "")
    if isinstance(limits, Bounds):
        more = " ".join(name for name in FURTHER if getattr(limits, name))
        of = (MYSQL, str(limits.promotions), str(limits.commits), limits.nodes, more)
    bound = "complete" if found.complete else ("wrong" if found.wrong else "not complete")
    return (
        f"{of[0]:8}  {asked.beginning:11}  {limits.faults:>6}  {of[1]:>10}  {of[2]:>7}  {of[3]:>5}  {of[4]:7}"
        f"  {found.states:>10,}  {found.events:>11,}  {found.depth:>5}  {found.seconds:>7.0f}  {bound}"
    )


def _that_do_not_heal(world: Mysql | brokers.Rabbitmq, found: Found) -> Iterator[str]:
    """From a sample of the states: what does not end with a primary, or with one whole cluster, once nothing goes wrong any
    more."""
    calm: Mysql | brokers.Rabbitmq
    if isinstance(world, Mysql):
        calm = Mysql(world.code, world.bounds._replace(faults=0, promotions=1000, commits=0), like=world)
    else:
        calm = brokers.Rabbitmq(world.code, world.bounds._replace(faults=0, admin=True), like=world)
    chance = random.Random(1)  # noqa: S311 - the same each time
    sample = chance.sample(found.sample, min(SAMPLE, len(found.sample)))
    for state in sample:
        if not any(heals(calm, state, calm.whole, LONG, chance.choice) for _ in range(RUNS)):
            yield f"not whole again after {state}"
            return


def _options(asked: Search) -> str:
    limits = asked.bounds
    if not isinstance(limits, Bounds):
        return f"--beginning {asked.beginning} --faults {limits.faults}"
    numbers = {name: getattr(limits, name) for name in ("faults", "promotions", "commits", "nodes")}
    flags = [f"--{name}" for name in FURTHER if getattr(limits, name)]
    return " ".join(
        [f"--beginning {asked.beginning}", *(f"--{name} {value}" for name, value in numbers.items()), *flags]
    )


def _replayed(story: str, asked: Search) -> list[str]:
    world = asked.world
    try:
        lines = _told(world, story.split())
        last = replay(world, story.split())[-1][1]
    except NoSuchEvent as error:
        raise click.ClickException(str(error)) from None
    return [*lines, world.wrong(last) or "nothing is wrong"]
