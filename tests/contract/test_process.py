"""Ending a process that may end by itself at any time."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from backstay.host.deadline import Deadline
from backstay.host.process import Process, at, start_time


class Ending(Process):
    """One that is found alive, and gone before the signal comes."""

    def alive(self) -> bool:
        return True


def test_a_signal_to_what_has_just_ended_is_no_error() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)
    Ending(child.pid, "").signal(signal.SIGKILL)


def test_what_ignores_sigterm_is_killed_when_its_part_of_the_time_is_over() -> None:
    child = subprocess.Popen(["sh", "-c", "trap '' TERM; echo; while :; do sleep 1; done"], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()  # it ignores SIGTERM from now on
    process = at(child.pid)
    assert process is not None
    begun = time.monotonic()
    process.end(Deadline(4), gently=True, patience=0.25)
    assert time.monotonic() - begun >= 1.0
    assert not process.alive()
    assert child.wait() == -signal.SIGKILL


def test_a_zombie_does_not_live() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert os.path.exists(f"/proc/{child.pid}/stat")
    assert start_time(child.pid) == ""
    assert at(child.pid) is None
    child.wait()
