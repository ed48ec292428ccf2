"""Vagrant's machines as a lab: that they are a cluster with real fencing, and that nothing of them is left behind.

What the cluster is worth is what the failover suite says: `make test-vagrant` runs it on such machines.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backstay.host import command
from backstay.host.deadline import Deadline, poll
from backstay_lab.machines.containers import container
from backstay_lab.machines.layout import LabError
from backstay_lab.machines.vagrant import TOOLS, Vagrant
from backstay_lab.systems.catalogue import topology

pytestmark = pytest.mark.slow


def left(directory: Path) -> list[str]:
    """Processes, mounts, interfaces, sockets and control groups of the lab in the directory, or of its containers."""
    found = [f"interface {name}" for name in os.listdir("/sys/class/net") if name.startswith(("lab", "port-"))]
    if str(directory) in Path("/proc/self/mountinfo").read_text():
        found.append("a mount")
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            argv = Path(f"/proc/{entry}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if (str(directory).encode() in argv and int(entry) != os.getpid()) or container("n1").encode() in argv:
            found.append(argv.replace(b"\0", b" ").decode())
    found += [str(path) for path in Path("/sys/fs/cgroup").rglob(f"*{container('n1')}*")]
    found += [str(path) for path in Path("/var/lib/lxc").glob("*")]
    return found


def test_machines_are_fenced_and_leave_nothing_behind(tmp_path: Path) -> None:
    assert all(map(command.available, TOOLS)), "`make setup-vagrant` installs them"
    directory = tmp_path / "lab"
    before = left(directory)
    lab = Vagrant.up(str(directory), nodes=1, topology=topology("none"))
    try:
        assert lab.run("n1", ["cat", "/proc/1/comm"]).out.strip() == "systemd"
        assert lab.run("n1", ["sh", "-c", "cat; exit 3"], input="told", check=False).status == 3
        assert lab.fault("kill", "n1", "pacemaker-attrd") == 1
        with pytest.raises(LabError, match="mysql does not run"):
            lab.fault("kill", "n1", "mysql")
        started = lab.run("n1", ["stat", "--format", "%Z", "/proc/1"]).out
        lab.run("n1", ["fence_backstay_lab", "--action=off", "--plug=n1"], check=False)  # it cuts its own branch off
        poll(lambda: lab.status()["nodes"]["n1"]["power"] == "off", Deadline(10), "n1 to be off")
        with pytest.raises(LabError, match="n1 is off"):
            lab.run("n1", ["true"])
        lab.power_on("n1")
        lab.wait_online(["n1"], timeout=60)
        assert lab.run("n1", ["stat", "--format", "%Z", "/proc/1"]).out != started
    finally:
        lab.down()
    assert left(directory) == before
    assert not directory.exists()
