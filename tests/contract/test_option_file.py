"""The server's own file as the documentation, the example and the lab have it: every server that is supported takes it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.conftest import CHECKOUT, Chamber  # type: ignore[import-not-found]

from backstay_lab.systems.mysql.deploy import SERVER

SLOW = pytest.mark.slow  # images of their own: MariaDB 10.5 and 11.8, Oracle MySQL


OTHERS = [pytest.param(suite, marks=SLOW) for suite in ("bullseye", "trixie", "sid")]


@pytest.fixture(scope="session", params=["bookworm", *OTHERS])
def bookworm(request: pytest.FixtureRequest) -> str:
    """In the place of the one image of other tests."""
    from backstay_lab.machines import image

    return image.ensure(request.param, print)


def documented() -> str:
    text = (CHECKOUT / "docs/production.md").read_text(encoding="utf-8")
    block = re.search(r"^    \[mysqld\]\n(?:    .*\n)+", text, re.MULTILINE)
    assert block and "log-bin" in block[0]
    return re.sub("^ +", "", block[0], flags=re.MULTILINE)


def test_the_servers_take_it_and_keep_their_logs_as_long_as_it_says(chamber: Chamber, tmp_path: Path) -> None:
    files = {
        "documented": documented(),
        "example": (CHECKOUT / "examples/my.cnf").read_text(encoding="utf-8"),
        "lab": SERVER.format(datadir="/var/lib/mysql"),
    }
    for name, text in files.items():
        (tmp_path / f"{name}.cnf").write_text(text)
    done = chamber(
        """
        server=$(command -v mariadbd || command -v mysqld)
        for name in documented example lab; do
            status=0; $server --defaults-file=/work/$name.cnf --user=mysql --verbose --help > /tmp/$name 2>&1 || status=$?
            days=$(sed -n 's/^expire-logs-days  *//p' /tmp/$name)
            echo "$name $status ${days%%.*} $(sed -n 's/^binlog-expire-logs-seconds  *//p' /tmp/$name)"
            grep -i 'unknown variable' /tmp/$name | grep -v warning -i || true
        done
        """,
    )
    told = {line.split()[0]: line.split()[1:] for line in done.out.splitlines()}
    for name, week in (("documented", 7), ("example", 7), ("lab", 1)):
        status, *kept = told[name]
        assert status == "0" and kept, done.out
        assert set(kept) <= {str(week), str(week * 86400)}, done.out
