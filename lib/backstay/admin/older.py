"""What older versions of click and rich name otherwise or lack: Debian 11 and RHEL 9 have click 7.1, Debian 11 rich 8."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType


def completed(names: Callable[[click.Context, click.Parameter, str], list[str]]) -> dict[str, Any]:
    """For an argument whose values the shell can complete, from click 8 on."""
    return {"shell_complete": names} if hasattr(click.Parameter, "shell_complete") else {}


def group(*parts: RenderableType) -> RenderableType:
    """Several as one, below each other."""
    from rich import console

    made = vars(console).get("Group") or vars(console)["RenderGroup"]  # as it was called before rich 10.13
    found: RenderableType = made(*parts)
    return found
