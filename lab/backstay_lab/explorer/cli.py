"""`backstay explore`: every order of events of a small world, with the steps and decisions of the agents."""

from __future__ import annotations

import multiprocessing
import random
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from backstay_lab.explorer.mysql.story import told
from backstay_lab.explorer.mysql.world import Bounds, Mysql
from backstay_lab.explorer.search import Found, NoSuchEvent, heals, replay, search

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGINNINGS = ("healthy", "alone")
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


class Search(NamedTuple):
    """What one search is asked to do."""

    beginning: str
    bounds: Bounds
    depth: int = 1000
    seconds: float = 600.0


@click.command("explore")
@click.argument("service", type=click.Choice(["mysql"]), default="mysql")
@click.option("--faults", type=int, help="The most that may go wrong in one order of events: 2 unless it is given.")
@click.option("--promotions", type=int, help="The most of these: 1.")
@click.option("--commits", type=int, help="The most of these: 1.")
@click.option("--nodes", type=int, help="Servers: 3.")
@click.option("--disks", is_flag=True, default=None, help="Disks may be replaced by empty ones.")
@click.option(
    "--hands", is_flag=True, default=None, help="An admin stops replication, acknowledging, or writes by hand."
)
@click.option("--degrade", is_flag=True, default=None, help="The primary goes on alone after degrade_after.")
@click.option("--depth", default=1000, show_default=True, help="The most events of an order.")
@click.option("--seconds", default=600.0, show_default=True, help="For each search.")
@click.option("--beginning", type=click.Choice(BEGINNINGS), help="Of the orders of events; both unless it is given.")
@click.option("--replay", "story", metavar="EVENTS", help="Tell this story, as an earlier search printed it.")
def command(service: str, story: str | None, beginning: str | None, depth: int, seconds: float, **limits: Any) -> None:
    """Try every order of events of a set of SERVICE, and tell the shortest that loses an acknowledged row. Without any bound: by
    all bounds of its table, two at a time."""
    given = {name: value for name, value in limits.items() if value is not None}
    if story is not None:
        click.echo("\n".join(_replayed(story, bounds(beginning or "healthy", given))))
        return
    searches = [
        Search(begin, bounds(begin, one), depth, seconds)
        for one in ([given] if given else TABLE)
        for begin in ([beginning] if beginning else BEGINNINGS)
    ]
    click.echo(HEAD)
    failed = False
    # A process of its own for each: what one remembers is of no use to another.
    with multiprocessing.get_context("fork").Pool(CORES, maxtasksperchild=1) as pool:
        for search, (found, lines) in zip(searches, pool.imap(explored, searches, 1)):
            click.echo("\n".join([row(search, found), *lines]))
            failed = failed or bool(lines)
    raise SystemExit(int(failed))


def bounds(beginning: str, limits: dict[str, Any]) -> Bounds:
    return Bounds(**{"promotions": 1, **limits, "alone": beginning == "alone"})


def explored(asked: Search) -> tuple[Found, list[str]]:
    """What a search came to; lines on what is wrong, [] for nothing."""
    world = Mysql(bounds=asked.bounds)
    found = search(world, asked.depth, asked.seconds, every=1000)
    if found.wrong:
        again = f"make explore REPLAY='{' '.join(found.story)}' EXPLORE='{_options(asked)}'"
        return found, [found.wrong, *told(world, found.story), again]
    lines = list(_without_a_primary(world, found))
    return found._replace(sample=[]), lines


HEAD = (
    f"{'beginning':9}  {'faults':>6}  {'promotions':>10}  {'commits':>7}  {'nodes':>5}  {'with':7}"
    f"  {'states':>10}  {'events':>11}  {'depth':>5}  {'seconds':>7}  bound"
)


def row(asked: Search, found: Found) -> str:
    limits = asked.bounds
    more = " ".join(name for name in FURTHER if getattr(limits, name))
    bound = "complete" if found.complete else ("wrong" if found.wrong else "not complete")
    return (
        f"{asked.beginning:9}  {limits.faults:>6}  {limits.promotions:>10}  {limits.commits:>7}  {limits.nodes:>5}  {more:7}"
        f"  {found.states:>10,}  {found.events:>11,}  {found.depth:>5}  {found.seconds:>7.0f}  {bound}"
    )


def _without_a_primary(world: Mysql, found: Found) -> Iterator[str]:
    """From a sample of the states: what does not end with a primary, once nothing goes wrong any more."""
    calm = Mysql(world.code, world.bounds._replace(faults=0, promotions=1000, commits=0), like=world)
    chance = random.Random(1)  # noqa: S311 - the same each time
    sample = chance.sample(found.sample, min(SAMPLE, len(found.sample)))
    for state in sample:
        if not any(heals(calm, state, calm.whole, LONG, chance.choice) for _ in range(RUNS)):
            yield f"no primary again after {state}"
            return


def _options(asked: Search) -> str:
    limits = {name: getattr(asked.bounds, name) for name in ("faults", "promotions", "commits", "nodes")}
    flags = [f"--{name}" for name in FURTHER if getattr(asked.bounds, name)]
    return " ".join(
        [f"--beginning {asked.beginning}", *(f"--{name} {value}" for name, value in limits.items()), *flags]
    )


def _replayed(story: str, limits: Bounds) -> list[str]:
    world = Mysql(bounds=limits)
    try:
        lines = told(world, story.split())
        last = replay(world, story.split())[-1][1]
    except NoSuchEvent as error:
        raise click.ClickException(str(error)) from None
    return [*lines, world.wrong(last) or "nothing is wrong"]
