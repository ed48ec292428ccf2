"""Manual pages, from the same declarations that parse: backstay(8) and backstay-COMMAND(8), and ocf_backstay_AGENT(7).

    python3 -m backstay.admin.manpage DIRECTORY [MODULE]

Pages go to man7/ and man8/ below DIRECTORY: those of the agents and of our own commands, or, with MODULE, those of the
commands that this plug-in of cli.py adds.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING

import click

from backstay import __version__
from backstay.admin.cli import OWN, backstay
from backstay.ocf import manpage
from backstay.ocf.manpage import troff
from backstay.services import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator


def pages(plugin: str = "") -> Iterator[tuple[str, str]]:
    """File name and text of every page. plugin: the module whose commands are wanted, "" for the agents' and our own."""
    if not plugin:
        for agent in catalogue.names():
            yield f"man7/ocf_backstay_{agent}.7", manpage.render(catalogue.agent_of(agent))
        yield "man8/backstay.8", _overview(click.Context(backstay, info_name="backstay"))
    root = click.Context(backstay, info_name="backstay")
    wanted = importlib.import_module(plugin).COMMANDS if plugin else OWN
    for name in sorted(wanted):
        command = backstay.get_command(root, name)
        if command is not None:
            context = click.Context(command, info_name=name, parent=root)
            yield f"man8/backstay-{name}.8", _page(f"backstay-{name}", wanted[name][2], command, context)


def _head(name: str, line: str, synopsis: str) -> str:
    return (
        f'.TH {name.upper()} 8 "" "Backstay {__version__}" "Backstay"\n'
        f".SH NAME\n{troff(name)} \\- {troff(line.rstrip('.'))}\n"
        f".SH SYNOPSIS\n{synopsis}\n"
    )


def _overview(context: click.Context) -> str:
    commands = "".join(f".TP\n.BR backstay\\-{name} (8)\n{troff(line)}\n" for name, (_, _, line) in sorted(OWN.items()))
    return (
        _head("backstay", "the admin's tool of the Backstay resource agents", ".B backstay\nCOMMAND [ARGUMENTS]")
        + f".SH DESCRIPTION\n{_help(context.command)}\n.SH COMMANDS\n{commands}"
        + ".SH EXIT STATUS\n0 when all went well, else as the command's page says; 2 for wrong arguments.\n"
        + ".SH SEE ALSO\n.BR ocf_backstay_mysql (7),\n.BR ocf_backstay_vip (7),\n.BR crm_mon (8),\n.BR crm_resource (8)\n"
    )


def _page(name: str, line: str, command: click.Command, context: click.Context) -> str:
    text = _head(name, line, _synopsis(command, context)) + f".SH DESCRIPTION\n{_help(command)}\n"
    if isinstance(command, click.Group):
        text += ".SH COMMANDS\n"
        for word in command.list_commands(context):
            inner = command.get_command(context, word)
            if inner is not None:
                below = click.Context(inner, info_name=word, parent=context)
                text += f".SS {troff(word)}\n{_synopsis(inner, below)}\n.PP\n{_help(inner)}\n{_options(inner, below)}"
    else:
        text += f".SH OPTIONS\n{_options(command, context)}"
    return text + ".SH SEE ALSO\n.BR backstay (8)\n"


def _synopsis(command: click.Command, context: click.Context) -> str:
    return f".B {troff(context.command_path)}\n{troff(' '.join(command.collect_usage_pieces(context)))}"


def _help(command: click.Command) -> str:
    return troff(command.help or "")


def _options(command: click.Command, context: click.Context) -> str:
    records = [record for parameter in command.get_params(context) if (record := parameter.get_help_record(context))]
    return "".join(f".TP\n.B {troff(names)}\n{troff(line) or '.br'}\n" for names, line in records)


def main(directory: str, plugin: str = "") -> None:
    """Write all pages there."""
    for name, text in pages(plugin):
        os.makedirs(os.path.join(directory, os.path.dirname(name)), exist_ok=True)
        with open(os.path.join(directory, name), "w", encoding="utf-8") as sink:
            sink.write(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
