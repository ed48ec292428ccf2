"""The sampler beside two real servers, which are made writable together for a tenth of a second again and again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Chamber  # type: ignore[import-not-found]

from backstay_lab.checkers import sampling
from backstay_lab.checkers.history import Sample, parse_samples

NODES = ["n1", "n2"]

SERVERS = r"""
PATH=/usr/sbin:$PATH; ip link set lo up
server=$(command -v mariadbd || command -v mysqld)
for n in 1 2; do
    mkdir -p /tmp/n$n && chown mysql: /tmp/n$n
    options="--no-defaults --user=mysql --datadir=/tmp/n$n/data"
    if command -v mariadb-install-db > /dev/null; then
        mariadb-install-db $options --auth-root-authentication-method=normal --force > /tmp/n$n/made 2>&1
    else
        $server $options --initialize-insecure > /tmp/n$n/made 2>&1
    fi
    $server $options --socket=/tmp/n$n/socket --pid-file=/tmp/n$n/pid --port=340$n --bind-address=127.0.0.1 --read-only=1 \
        > /tmp/n$n/said 2>&1 &
done
python3 /work/program.py
kill $(cat /tmp/n1/pid /tmp/n2/pid)
"""

BEGINNING = r"""
import json, os, resource, signal, subprocess, sys, time
import pymysql

def connect(number):
    end = time.monotonic() + 60
    while True:
        try:
            return pymysql.connect(unix_socket=f"/tmp/n{number}/socket", user="root", autocommit=True)
        except pymysql.err.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)

servers = [connect(1), connect(2)]
for server in servers:
    server.cursor().execute("CREATE USER app@'127.0.0.1' IDENTIFIED BY 'secret'")

def switch(number, read_only):
    servers[number].cursor().execute(f"SET GLOBAL read_only = {read_only}")

urls = [f"n{number}=mysql://app:secret@127.0.0.1:340{number}/" for number in (1, 2)]
switch(0, 0)
begun = time.monotonic()
sampler = subprocess.Popen(
    [sys.executable, "-m", "backstay_lab.clients.sampler", *urls], stdin=subprocess.PIPE, stdout=open("/work/samples", "w")
)
while not open("/work/samples").read():
    time.sleep(0.05)
"""
# Opens the one that is closed, and closes the other a tenth of a second later, at moments that meet the samples in other ways
# each time. From the first of the two times of a window both were surely writable, until the second.
WINDOWS = r"""
windows = []
for number in range(NUMBER):
    time.sleep(0.1 + number / NUMBER * 0.05)
    switch((number + 1) % 2, 0)
    opened = time.monotonic()
    time.sleep(0.1)
    windows.append([opened, time.monotonic()])
    switch(number % 2, 1)
    time.sleep(0.1)
    switch((number + 1) % 2, 1)
    time.sleep(0.005)  # a handover, as fast as any
    switch(number % 2, 0)
    time.sleep(0.1)
    switch(number % 2, 1)
    time.sleep(0.03)
    switch((number + 1) % 2, 0)
found = {"windows": windows}
"""
HANGS = r"""
pid = int(open("/tmp/n1/pid").read())
os.kill(pid, signal.SIGSTOP)
time.sleep(1.0)
switch(1, 0)  # as a promotion elsewhere
found = {"resumed": time.monotonic()}
os.kill(pid, signal.SIGCONT)
time.sleep(0.5)  # a busy machine lets it go on later
found["closed"] = time.monotonic()
switch(0, 1)
cursor = servers[1].cursor()
cursor.execute("SELECT id FROM information_schema.processlist WHERE user = 'app'")
for row in cursor.fetchall():
    cursor.execute(f"KILL {row[0]}")
found["killed"] = time.monotonic()
time.sleep(0.3)
"""
END = r"""
sampler.stdin.close()
assert sampler.wait() == 0
used = resource.getrusage(resource.RUSAGE_CHILDREN)
found["processor"] = (used.ru_utime + used.ru_stime) / (time.monotonic() - begun)
json.dump(found, open("/work/found", "w"))
"""


def run(chamber: Chamber, place: Path, program: str) -> tuple[list[Sample], dict[str, Any]]:
    """The samples, and what the program says of the times."""
    (place / "program.py").write_text(BEGINNING + program + END)
    chamber(SERVERS, timeout=240)
    return parse_samples((place / "samples").read_text().splitlines()), json.loads((place / "found").read_text())


@pytest.mark.parametrize("windows", [12, pytest.param(60, marks=pytest.mark.slow)])
def test_two_real_servers_that_are_writable_for_100_ms_are_seen_at_every_phase(
    chamber: Chamber, tmp_path: Path, windows: int
) -> None:
    samples, found = run(chamber, tmp_path, f"NUMBER = {windows}\n{WINDOWS}")
    both = sampling.both_writable(samples)
    print(sampling.reached(samples), f"with {found['processor']:.3f} of a processor,", len(both), "found")
    seen = [window for window in found["windows"] if any(_together(pair, window) for pair in both)]
    assert len(seen) == windows
    assert len(both) == windows  # the handovers are none
    assert {one.writable for one in samples if one.node == "n1"} >= {True, False}
    assert found["processor"] < 0.25  # about 0.05, and a start
    assert all(hole.ended - hole.begun < 5 for hole in sampling.holes(samples, NODES))


def _together(pair: tuple[sampling.Span, sampling.Span], window: list[float]) -> bool:
    """Whether the two spans overlap within the window."""
    begin, end = max(span.begun for span in pair), min(span.ended for span in pair)
    return begin <= window[1] and window[0] <= end


def test_a_server_that_hung_is_seen_at_once_when_it_goes_on_and_a_killed_connection_is_no_end(
    chamber: Chamber, tmp_path: Path
) -> None:
    samples, found = run(chamber, tmp_path, HANGS)
    both = sampling.both_writable(samples)
    assert any(_together(pair, [found["resumed"], found["closed"]]) for pair in both)
    assert any(one.writable is None for one in samples if one.node == "n1")  # while it hung
    after = [one for one in samples if one.node == "n2" and one.begun > found["killed"]]
    assert [one for one in after if one.writable]
    assert not any(one.writable is False for one in after)
