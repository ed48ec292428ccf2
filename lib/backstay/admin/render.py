"""`backstay render`: a topology with an admin's values, as plain crmsh or pcs commands. Nothing of it needs this tool."""

import os
import sys

import click

from backstay.admin import template_values, templates
from backstay.admin.older import completed
from backstay.ocf.errors import Misconfigured, WrongParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from backstay.admin.crm_parser import Command

_COUNTS = ("clone-max", "clone-node-max", "promoted-max", "promoted-node-max")
SUFFIXES = {"crm": ".crm", "pcs": ".pcs.sh"}


def _replace(path: str, text: str) -> None:
    """Write a file that is new, and for us alone: it holds passwords, and others may write to its directory."""
    import tempfile

    directory, name = os.path.split(path)
    sink, partial = tempfile.mkstemp(".partial", f"{name}.", directory or ".")
    try:
        with open(sink, "w", encoding="utf-8") as written:
            written.write(text)
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise


def values_of(pairs: "Iterable[str]", origin: str) -> "dict[str, str]":
    """`key=value` each; empty lines and lines that begin with # say nothing. Raises WrongParameter."""
    found: dict[str, str] = {}
    for pair in (line.rstrip("\n") for line in pairs):
        if not pair.strip() or pair.lstrip().startswith("#"):
            continue
        name, equals, value = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            # Not shown: a line that is not understood may be a password.
            raise WrongParameter(f"{origin}: key=value is needed, and one of them is not")
        if found.setdefault(name, value) != value:
            raise WrongParameter(f"{origin}: {name} is given twice")
    return found


def rendered(topology: str, values: "dict[str, str]", format: str) -> str:
    """The topology's text in the format. Raises WrongParameter that names all unset values together."""
    from backstay.admin import crm_parser, pcs_writer

    text = templates.render(templates.load(topology), values)
    commands = crm_parser.parse(text)
    wrong = [said for command in commands for said in _wrong(command)]
    if wrong:
        raise WrongParameter("; ".join(wrong))
    if format == "crm":
        return text
    secret = {command.agent: _secret(command.agent) for command in commands}
    return pcs_writer.script(commands, f"{topology}{SUFFIXES['pcs']}", secret)


def _secret(agent: str) -> "set[str]":
    """The names of an agent's parameters that nobody may see."""
    from backstay.ocf.parameters import parameters_of
    from backstay.services.catalogue import agent_class

    made = agent_class(agent)
    return {one.name for one in parameters_of(made.parameters_class()) if one.secret} if made else set()


def _wrong(command: "Command") -> "list[str]":
    """What the agent, and Pacemaker, would refuse of a statement's values: a sentence each."""
    from backstay.ocf.invocation import Invocation
    from backstay.services.catalogue import agent_class

    found = [
        f"{command.id}: {name}={value}: a whole number is needed"
        for name, value in command.options
        if name in _COUNTS and not (value.isascii() and value.isdigit())
    ]
    agent = agent_class(command.agent)
    if command.kind == "primitive" and agent is not None:
        given = {
            f"OCF_RESKEY_{name}": value
            for section, options in command.sections
            if section == "params"
            for name, value in options
        }
        try:
            agent.parameters_class()(Invocation("validate-all", given)).check()
        except Misconfigured as error:
            found.append(f"{command.id}: {error}")
    return found


def _topologies(context: click.Context, parameter: click.Parameter, incomplete: str) -> "list[str]":
    return [name for name in templates.names() if name.startswith(incomplete)]


@click.command()
@click.argument("topology", required=False, **completed(_topologies))
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="May be repeated.")
@click.option(
    "--values",
    "source",
    type=click.File(encoding="utf-8"),
    help="File of KEY=VALUE lines, - for standard input: passwords belong there, since every user can read arguments.",
)
@click.option("--format", "format", type=click.Choice(sorted(SUFFIXES)), default="crm", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write here, readable by you alone.")
@click.option(
    "--list", "listing", is_flag=True, help="Name the topologies and their values, with what they are for, and end."
)
def render(
    topology: "str | None",
    pairs: "tuple[str, ...]",
    source: "TextIO | None",
    format: str,
    output: "str | None",
    listing: bool,
) -> None:
    """Write TOPOLOGY with your values: for `crm configure load update FILE`, or a script of pcs commands.

    Values given by --set come before those of --values. Every choice is explained in the output, next to its line.
    """
    if listing or topology is None:
        for name in [topology] if topology else templates.names():
            click.echo(name)
            text = templates.load(name)
            described = template_values.described(text)
            for key, default in templates.placeholders(text).items():
                shown = f"{key}   (must be given)" if default is None else f"{key}={default}"
                click.echo(f"    {shown}")
                click.echo(click.wrap_text(described[key], 100, " " * 8, " " * 8))
        if not listing:
            sys.exit(2)
        return
    values = values_of(source, source.name) if source else {}
    text = rendered(topology, {**values, **values_of(pairs, "--set")}, format)
    if output is None:
        click.echo(text, nl=False)
        return
    _replace(output, text)
    loads = {"crm": f"crm configure load update {output}", "pcs": f"sh {output}"}
    click.echo(f"written; load it with: {loads[format]}", err=True)
