"""The admin's tool. Subcommands are imported when they are used, so that each starts fast."""

import importlib
import importlib.util
import sys

import click

from backstay import __version__
from backstay.ocf.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

# Name -> (module, its click command, one line for the help).
OWN = {
    "explain": ("backstay.admin.explain", "explain", "What happened in the last failover."),
    "render": ("backstay.admin.render", "render", "Write a topology for crm or pcs."),
    "doctor": ("backstay.admin.doctor", "doctor", "Examine this node and the configuration; with remedies."),
    "switchover": ("backstay.admin.switchover", "switchover", "Move a promoted role to another node, as planned work."),
    "status": ("backstay.admin.status", "status", "The cluster on one screen, and what is not as wanted."),
}
# A distribution of its own adds commands by a module with a table like this one.
PLUGINS = ("backstay_lab.commands",)
_HELP = {"help_option_names": ["-h", "--help"]}


def commands() -> "dict[str, tuple[str, str, str]]":
    """Our own commands, and those of the plug-ins that are installed."""
    found = dict(OWN)
    for name in PLUGINS:
        if _installed(name):
            found.update(importlib.import_module(name).COMMANDS)
    return found


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its package is not there
        return False


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> "list[str]":
        return sorted(commands())

    def get_command(self, ctx: click.Context, cmd_name: str) -> "Optional[click.Command]":
        if cmd_name not in commands():
            return None
        module, attribute, _ = commands()[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in sorted(commands().items())])
        if not all(map(_installed, PLUGINS)):
            formatter.write_paragraph()
            formatter.write_text("The lab, rehearsals, campaigns and the bench come with backstay-lab.")


@click.command(cls=_Lazy, context_settings=_HELP)
@click.version_option(__version__, prog_name="backstay")
def backstay() -> None:
    """The admin's tool of Backstay, Pacemaker resource agents for MySQL, RabbitMQ, HAProxy and addresses."""


def main() -> None:
    """Run the command line; a failure that knows its reason is one line and its OCF exit code."""
    try:
        backstay(prog_name="backstay")
    except AgentError as reason:
        click.echo(f"backstay: {reason}", err=True)
        sys.exit(int(reason.code))
