"""`backstay report`: a page of what rehearsals and the bench measured."""

from __future__ import annotations

import os

import click

from backstay.ocf.errors import AgentError
from backstay_lab.report.results import gather


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False), default=".")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, writable=True), help="Default: report.html in DIRECTORY."
)
@click.option("--title", default="Failover rehearsals", show_default=True)
def report(directory: str, output: str | None, title: str) -> None:
    """Make one HTML page of the results in DIRECTORY.

    It reads the files that `backstay rehearse --json FILE` and `make bench` write, and needs python3-matplotlib.
    """
    results = gather(directory)
    from backstay_lab.report import page  # matplotlib takes half a second

    path = output or os.path.join(directory, "report.html")
    text = page.render(results, title)
    try:
        with open(path, "w", encoding="utf-8") as sink:
            sink.write(text)
    except OSError as failed:
        raise AgentError(f"cannot write {path}: {failed.strerror}") from failed
    click.echo(path)
