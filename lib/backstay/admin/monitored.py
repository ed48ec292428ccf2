"""The exit status of commands that monitoring reads, as its plug-ins have it: 0 well, 1 warnings, 2 errors, 3 cannot tell.

What cannot be told is neither well nor a fault of the cluster: the cluster does not run here, a program gives no answer, a
privilege is missing, an option is misspelled.
"""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from backstay.ocf.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backstay.cluster.model import Finding

UNKNOWN = 3
LEVELS = {"error": 2, "unknown": UNKNOWN, "warning": 1}  # the gravest first


def exit_status(findings: Sequence[Finding]) -> int:
    """Of the gravest finding, 0 for none."""
    there = {finding.level for finding in findings}
    return next((status for level, status in LEVELS.items() if level in there), 0)


def bear_any_letter() -> None:
    """What this terminal has no letter for, as in a name or a server's words, is written as its number; without this it would end
    the command in the middle. Not for what is to be loaded again, which must be as it is or not at all."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


class Monitored(click.Command):
    """A command that ends with UNKNOWN where it cannot tell; with --json it says {"error"} then."""

    def make_context(self, *arguments: Any, **named: Any) -> click.Context:
        try:
            return super().make_context(*arguments, **named)
        except click.UsageError as error:
            error.show()
            sys.exit(UNKNOWN)

    def invoke(self, ctx: click.Context) -> Any:
        bear_any_letter()
        try:
            return super().invoke(ctx)
        except AgentError as error:
            if ctx.params.get("as_json"):
                click.echo(json.dumps({"error": str(error)}))
            click.echo(f"backstay: cannot tell: {error}", err=True)
            sys.exit(UNKNOWN)
