"""`backstay explore`: every order of events of a small world, with the steps and decisions of the agents."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import click

from backstay_lab.explorer.mysql.story import told
from backstay_lab.explorer.mysql.world import Bounds, Mysql
from backstay_lab.explorer.search import Found, NoSuchEvent, heals, replay, search

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGINNINGS = ("healthy", "alone")
SAMPLE, RUNS, LONG = 200, 3, 600  # states from which it must heal, tries from each, events of a try


@click.command("explore")
@click.argument("service", type=click.Choice(["mysql"]), default="mysql")
@click.option("--faults", default=2, show_default=True, help="The most that may go wrong in one order of events.")
@click.option("--promotions", default=1, show_default=True, help="The most of these.")
@click.option("--commits", default=1, show_default=True, help="The most of these.")
@click.option("--nodes", default=3, show_default=True, help="Servers.")
@click.option("--disks", is_flag=True, help="Disks may be replaced by empty ones.")
@click.option("--degrade", is_flag=True, help="The primary goes on alone after degrade_after.")
@click.option("--depth", default=1000, show_default=True, help="The most events of an order.")
@click.option("--seconds", default=600.0, show_default=True, help="For each beginning.")
@click.option("--beginning", type=click.Choice(BEGINNINGS), help="Of the orders of events; both unless it is given.")
@click.option("--replay", "story", metavar="EVENTS", help="Tell this story, as an earlier search printed it.")
def command(service: str, story: str | None, beginning: str | None, depth: int, seconds: float, **limits: Any) -> None:
    """Try every order of events of a set of SERVICE, and tell the shortest that loses an acknowledged row."""
    if story is not None:
        click.echo("\n".join(_replayed(story, beginning or "healthy", limits)))
        return
    click.echo(f"{'beginning':9}  {'states':>9}  {'events':>10}  {'depth':>5}  {'seconds':>7}  bound")
    failed = False
    for name in [beginning] if beginning else BEGINNINGS:
        found, lines = explored(name, depth, seconds, limits)
        click.echo(row(name, found))
        for line in lines:
            click.echo(line)
        failed = failed or bool(lines)
    raise SystemExit(int(failed))


def explored(beginning: str, depth: int, seconds: float, limits: dict[str, Any]) -> tuple[Found, list[str]]:
    """What a search came to; lines on what is wrong, [] for nothing."""
    world = Mysql(bounds=Bounds(alone=beginning == "alone", **limits))
    found = search(world, depth, seconds, every=1000)
    if found.wrong:
        again = f"make explore REPLAY='{' '.join(found.story)}' EXPLORE='{_options(beginning, limits)}'"
        return found, [found.wrong, *told(world, found.story), again]
    return found, list(_without_a_primary(world, found))


def row(beginning: str, found: Found) -> str:
    bound = "complete" if found.complete else ("wrong" if found.wrong else "not complete")
    counts = f"{found.states:>9,}  {found.events:>10,}  {found.depth:>5}  {found.seconds:>7.0f}"
    return f"{beginning:9}  {counts}  {bound}"


def _without_a_primary(world: Mysql, found: Found) -> Iterator[str]:
    """From a sample of the states: what does not end with a primary, once nothing goes wrong any more."""
    calm = Mysql(world.code, world.bounds._replace(faults=0, promotions=1000, commits=0), like=world)
    chance = random.Random(1)  # noqa: S311 - the same each time
    sample = chance.sample(found.sample, min(SAMPLE, len(found.sample)))
    for state in sample:
        if not any(heals(calm, state, calm.whole, LONG, chance.choice) for _ in range(RUNS)):
            yield f"no primary again after {state}"
            return


def _options(beginning: str, limits: dict[str, Any]) -> str:
    given = [f"--{name} {value}" for name, value in limits.items() if not isinstance(value, bool)]
    return " ".join(
        [f"--beginning {beginning}", *given, *(f"--{name}" for name, value in limits.items() if value is True)]
    )


def _replayed(story: str, beginning: str, limits: dict[str, Any]) -> list[str]:
    world = Mysql(bounds=Bounds(alone=beginning == "alone", **limits))
    try:
        lines = told(world, story.split())
        last = replay(world, story.split())[-1][1]
    except NoSuchEvent as error:
        raise click.ClickException(str(error)) from None
    return [*lines, world.wrong(last) or "nothing is wrong"]
