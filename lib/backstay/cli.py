"""The admin's tool. Subcommands are imported when they are used, so that each starts fast."""

import importlib
import sys

import click

from backstay.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

# Name -> (module, its click command, one line for the help).
COMMANDS = {
    "lab": ("backstay.lab.cli", "lab", "A real cluster of several nodes on this machine."),
    "rehearse": ("backstay.rehearse.cli", "command", "Inflict faults on a lab and measure what they cost."),
    "campaign": ("backstay.campaign.cli", "campaign", "Break a lab by schedules of faults, and judge what they prove."),
    "bench": ("backstay.bench.cli", "bench", "Backstay beside other agents: the same lab, load and faults."),
    "report": ("backstay.report.cli", "report", "A page of what rehearsals and the bench measured."),
    "explain": ("backstay.admin.explain", "explain", "What happened in the last failover."),
    "render": ("backstay.admin.render", "render", "Write a topology for crm or pcs."),
    "doctor": ("backstay.admin.doctor", "doctor", "Examine this node and the configuration; with remedies."),
    "switchover": ("backstay.admin.switchover", "switchover", "Move a promoted role to another node, as planned work."),
    "status": ("backstay.admin.status", "status", "The cluster on one screen, and what is not as wanted."),
    "demo": ("backstay.rehearse.demo", "demo", "A real failover from start to finish."),
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> "list[str]":
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> "Optional[click.Command]":
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in sorted(COMMANDS.items())])


@click.command(cls=_Lazy)
def backstay() -> None:
    """The admin's tool of Backstay, Pacemaker resource agents for MySQL, RabbitMQ, HAProxy and addresses."""


def main() -> None:
    """Run the command line; a failure that knows its reason is one line and its OCF exit code."""
    try:
        backstay(prog_name="backstay")
    except AgentError as reason:
        click.echo(f"backstay: {reason}", err=True)
        sys.exit(int(reason.code))
