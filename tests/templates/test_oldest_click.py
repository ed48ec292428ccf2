"""The admin's commands with click 7.1 and rich 8, as Debian 11 has them: the oldest that they bear."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.conftest import Chamber  # type: ignore[import-not-found]

pytestmark = pytest.mark.slow  # an image of its own

COMMANDS = {
    "render --list": 0,
    "render mysql --set writer_ip=10.77.0.100 --set nodes=3 --values passwords": 0,
    "render mysql --set writer_ip=10.77.0.100 --set nodes=3 --values passwords --format pcs": 0,
    "status": 2,
    "status --json": 2,
    "doctor": 2,
    "switchover --yes n2": 1,
    "explain --list": 1,
}


@pytest.fixture(scope="session")
def bookworm() -> str:
    from backstay_lab.machines import image

    return image.ensure("bullseye", print)


def test_each_command_ends_as_it_should(chamber: Chamber, tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text("monitor_password=m0n\nreplication_password=r3p\n")
    script = "import click; click.__version__.startswith('7.1') or exit(9)\nfrom backstay.admin.cli import main; main()"
    (tmp_path / "backstay").write_text(script)
    asked = "; ".join(
        f'status=0; python3 backstay {command} > out 2>&1 || status=$?; echo "$status {command}"; cat out >&2'
        for command in COMMANDS
    )
    # On a terminal as well, where the screen is drawn again and again.
    watch = "TERM=xterm timeout 5 script -qc 'python3 backstay status --watch --interval 0.2' /dev/null >&2 || true"
    done = chamber(f"cibadmin --empty > cib.xml; {asked}; {watch}; python3 backstay status --json || true", timeout=120)
    lines, _, document = done.out.partition("{")
    assert "Traceback" not in done.err, done.err
    assert lines.splitlines() == [f"{status} {command}" for command, status in COMMANDS.items()], done.out + done.err
    assert json.loads("{" + document)["findings"]
    assert done.err.count("coordinator none") >= 4, done.err
