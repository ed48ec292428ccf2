"""Programs that an action runs to their end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from backstay.host.command import run
from backstay.host.deadline import Deadline, poll
from backstay.host.fork import borrow
from backstay.ocf.errors import CommandFailed, NotInstalled, PermissionMissing, TimedOut
from backstay.services.mysql.server import ServerBusy


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def test_what_it_reads_and_writes_is_whole() -> None:
    """More than a pipe holds, both ways and on both outputs at once."""
    before = descriptors()
    text = "".join(f"{number} ä\n" for number in range(50_000))
    done = run(["sh", "-c", "tee /dev/stderr"], timeout=20, input=text)
    assert (done.status, done.out, done.err) == (0, text, text)
    assert run(["cat"], timeout=5).out == ""
    assert run(["printf", r"\377 a"], timeout=5).out == "\N{REPLACEMENT CHARACTER} a"
    assert descriptors() == before


def test_how_it_ends(tmp_path: Path) -> None:
    before = descriptors()
    assert run(["sh", "-c", "kill -TERM $$"], timeout=5, check=False).status == -signal.SIGTERM
    with pytest.raises(CommandFailed, match=r"^sh failed with status 3: Error: no room$") as failed:
        run(["sh", "-c", "echo first; echo 'Error: no room' >&2; echo last >&2; exit 3"], timeout=5)
    assert failed.value.status == 3 and failed.value.output == "first\nError: no room\nlast\n"
    for missing in ("no-such-program", "/no/such/program"):
        with pytest.raises(NotInstalled, match=f"^{missing} is not installed on this node$"):
            run([missing], timeout=5)
    no_program = tmp_path / "program"
    no_program.write_text("neither a binary nor a script\n")
    with pytest.raises(PermissionError):
        run([str(no_program)], timeout=5)
    no_program.chmod(0o755)
    with pytest.raises(OSError, match="Exec format error"):
        run([str(no_program)], timeout=5)
    assert descriptors() == before


def test_one_that_does_not_end_is_killed(tmp_path: Path) -> None:
    before, pid = descriptors(), tmp_path / "pid"
    begin = time.monotonic()
    with pytest.raises(TimedOut, match=r"^sh did not finish within 0\.3 s$"):
        run(["sh", "-c", f"echo $$ > {pid}; exec sleep 100 >&- 2>&-"], timeout=0.3)
    assert time.monotonic() - begin < 5
    assert not os.path.exists(f"/proc/{pid.read_text().strip()}")  # killed and seen to its end
    with pytest.raises(ZeroDivisionError):
        run(["sh", "-c", f"echo $$ > {pid}; exec sleep 100"], timeout=100, meanwhile=lambda: 1 // 0)
    assert descriptors() == before


def test_what_it_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    begin = time.monotonic()
    done = run(["sh", "-c", f"sleep 100 & echo $! > {pid}; echo begun"], timeout=50)
    assert done.out == "begun\n" and time.monotonic() - begin < 10
    os.kill(int(pid.read_text()), signal.SIGKILL)


def test_a_program_gets_default_signals_and_its_own_descriptors() -> None:
    with open("/etc/hostname", encoding="utf-8") as ours:
        said = run(["sh", "-c", "grep SigIgn /proc/self/status; ls -l /proc/self/fd"], timeout=5).out
        assert f" {ours.fileno()} -> /etc/hostname" not in said
    assert int(said.split()[1], 16) & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1) == 0


def test_a_borrowed_descriptors_failure_is_that_of_its_work() -> None:
    def busy() -> int:
        raise ServerBusy("no free connection: 5 of 5")

    def slow() -> int:
        poll(lambda: None, Deadline(100), "never")
        return 0

    class OfTheTest(PermissionMissing):
        pass

    def unknown() -> int:
        raise OfTheTest("not to be found")

    with pytest.raises(ServerBusy, match=r"^no free connection: 5 of 5$"):
        borrow(busy, 5)
    with pytest.raises(TimedOut):
        borrow(slow, 0.2)
    with pytest.raises(Exception, match=r"^not to be found$"):
        borrow(unknown, 5)
    handed = borrow(lambda: os.open("/etc/hostname", os.O_RDONLY), 5)
    assert os.readlink(f"/proc/self/fd/{handed}") == "/etc/hostname"
    os.close(handed)
