"""What `backstay status` prints."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from tests.decisions.cluster_values import cluster  # type: ignore[import-not-found]

from backstay.admin.status import console, screen
from backstay.cluster.model import Finding
from backstay.host.command import run
from backstay.services.catalogue import advices_of

LIBRARY = str(Path(__file__).parents[2] / "lib")


def test_a_letter_that_the_terminal_lacks_ends_no_command() -> None:
    """As in a cron job with another encoding; the status would be that of a warning."""
    code = (
        "import click; from backstay.admin.monitored import Monitored; from backstay.admin.status import console\n"
        "click.command(cls=Monitored)(lambda: console().print('größe …'))()"
    )
    done = run(
        ["env", "PYTHONIOENCODING=ascii", sys.executable, "-c", code], 30, check=False, env={"PYTHONPATH": LIBRARY}
    )
    assert (done.status, done.out) == (0, "gr\\xf6\\xdfe \\u2026\n"), done.err


def test_off_a_terminal_no_command_is_folded() -> None:
    remedy = "mend the cause, then: crm_resource --cleanup --resource a-resource-with-a-long-name --node a-node-with-a-long-name"
    sink = io.StringIO()
    of = cluster()
    console(sink).print(screen(of, advices_of(of), [Finding("error", "mysql on n1", "it failed", remedy)]))
    assert remedy in sink.getvalue()
