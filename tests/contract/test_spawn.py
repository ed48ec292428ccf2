"""What a daemon inherits from the agent that starts it: nothing but what it is given."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
from tests.conftest import CHECKOUT  # type: ignore[import-not-found]

from backstay.host.command import run, spawn
from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError, NotInstalled

TELL = """
echo "pid $$ session $(cut -d' ' -f6 /proc/$$/stat) user $(id -u) group $(id -g) groups $(id -G)"
echo "cwd $(pwd) umask $(umask) given $GIVEN locale $LC_ALL"
for fd in $(ls /proc/$$/fd); do echo "fd $fd $(readlink /proc/$$/fd/$fd)"; done
grep SigIgn /proc/$$/status
echo "no such thing" >&2
sleep 0.1; echo end
"""


def told(log: Path) -> str:
    return poll(
        lambda: log.read_text() if log.exists() and "end\n" in log.read_text() else None, Deadline(10), "its end"
    )


def test_a_daemon_has_what_it_is_given_and_nothing_else(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tmp_path.chmod(0o755)
    with open("/etc/hostname", encoding="utf-8") as ours, open("/etc/hosts", encoding="utf-8") as given:
        pid = spawn(
            ["sh", "-c", TELL],
            log=str(log),
            env={"GIVEN": "this"},
            user=65534,
            group=65534,
            pass_fds=[given.fileno()],
            cwd="/usr",
            umask=0o077,
        )
        said = told(log)
        assert f"pid {pid} session {pid} user 65534 group 65534 groups 65534\n" in said
        assert "cwd /usr umask 0077 given this locale C\n" in said
        assert f"fd {given.fileno()} /etc/hosts\n" in said and "/etc/hostname" not in said
        assert "fd 0 /dev/null\n" in said and f"fd 1 {log}\n" in said and f"fd 2 {log}\n" in said
        assert f"fd {ours.fileno()} " not in said
    ignored = int(said.partition("SigIgn:\t")[2].split()[0], 16)
    assert not ignored & 1 << signal.SIGPIPE - 1  # which Python ignores for itself
    assert "no such thing\n" in said


def test_parameters_are_for_parts_of_the_agent_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are among them, and a daemon's environment is for its account to read."""
    monkeypatch.setenv("OCF_RESKEY_agent_password", "secret")
    monkeypatch.setenv("OCF_RESOURCE_INSTANCE", "db")
    tell = ["sh", "-c", 'echo "[$OCF_RESKEY_agent_password] [$OCF_RESOURCE_INSTANCE]"; echo end']
    for own, said in ((False, "[] [db]\n"), (True, "[secret] [db]\n")):
        log = tmp_path / str(own)
        spawn(tell, log=str(log), own=own)
        assert told(log).startswith(said)
    assert run(tell, timeout=10).out.startswith("[] [db]\n")


def test_a_part_of_the_agent_leaves_no_core_and_its_daemons_have_the_limit_of_before(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = """
import resource, sys
from backstay.host.command import spawn
from backstay.host.process import no_core
resource.setrlimit(resource.RLIMIT_CORE, (4096 << 10, -1))
no_core(); no_core()
print(resource.getrlimit(resource.RLIMIT_CORE), flush=True)
spawn(["sh", "-c", "ulimit -c; echo end"], log=sys.argv[1])
"""
    said = run([sys.executable, "-c", program, str(log)], timeout=10, env={"PYTHONPATH": str(CHECKOUT / "lib")}).out
    assert said == "(1, -1)\n"
    assert told(log).split()[0] in ("4096", "8192")  # in KiB, or in blocks of 512 bytes


def test_a_program_that_is_not_there_or_may_not_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotInstalled, match="no-such-program is not installed"):
        spawn(["no-such-program"])
    with pytest.raises(NotInstalled, match="/no/such is not installed"):
        spawn(["/no/such"])
    plain = tmp_path / "plain"
    plain.write_text("no program\n")
    with pytest.raises(AgentError, match="plain cannot be started: Permission denied"):
        spawn([str(plain)])
