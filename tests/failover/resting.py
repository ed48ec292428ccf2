"""Whether a recurring monitor rests on the watcher's looks, or looks itself."""

from __future__ import annotations

from backstay.host.deadline import Deadline, poll
from backstay_lab.machines.cluster import Lab
from backstay_lab.machines.layout import LabError

# The agent's own monitor, as the watcher's environment had it.
MONITOR = """
import os
environment = dict(pair.split("=", 1) for pair in open("/tmp/AGENT.environ").read().split("\\0") if pair)
environment.update(OCF_RESKEY_CRM_meta_interval="5000", OCF_RESKEY_CRM_meta_role="ROLE")
os.dup2(1, 2)
agent = "/usr/lib/ocf/resource.d/backstay/AGENT"
os.execve("/usr/bin/python3", ["python3", "-IS", "-X", "importtime", agent, "monitor"], environment)
"""
# Dates of the agent's files are the monotonic clock's.
OLD = "python3 -c \"import os, time; exit(time.monotonic() - os.stat('verdict').st_mtime < 4)\""


def dated(seconds_ago: int) -> str:
    """A script that makes the note of calm so old; it fails where there is none."""
    moment = f"time.monotonic_ns() - {seconds_ago} * 10**9"
    return f"python3 -c \"import os, time; os.utime('calm', ns=({moment},) * 2)\""


class Resting:
    """The monitor of an agent's instance on a node. module: what it loads when it looks itself. role: Promoted or Unpromoted."""

    def __init__(self, lab: Lab, node: str, agent: str, module: str, role: str) -> None:
        self._lab, self._node, self._agent = lab, node, agent
        self._module, self._role = module, role
        copy = f"cp /proc/$(cut -d' ' -f3 watch.lock)/environ /tmp/{agent}.environ"
        poll(lambda: self.sh(copy), Deadline(30), "a watcher", interval=0.2)

    def sh(self, script: str) -> bool:
        """Whether a script succeeds in the directory of the agent's state; it does not on a node that is off, as one is for some
        seconds that Pacemaker had fenced because its controller was gone too long on a busy machine."""
        script = f"cd /run/backstay/{self._agent} && {script}"
        try:
            return self._lab.run(self._node, ["sh", "-c", script], check=False).status == 0
        except LabError:
            return False

    def looks(self) -> bool:
        """Run the monitor; whether it looked itself."""
        script = MONITOR.replace("AGENT", self._agent).replace("ROLE", self._role)
        done = self._lab.run(self._node, ["python3", "-c", script], check=False)
        assert done.status == (8 if self._role == "Promoted" else 0), done.out
        return self._module in done.out

    def rests(self) -> None:
        """Returns when one has rested."""
        poll(lambda: not self.looks(), Deadline(60), "a monitor to rest", interval=0.5)

    def looks_when(self, script: str) -> None:
        """Returns when one has looked itself right after the script, unless the cluster's own was there between."""
        poll(lambda: self.sh(script) and self.looks(), Deadline(30), "a monitor to look itself", interval=0.5)

    def calm(self) -> bool:
        """Whether the watcher finds it so."""
        return self.sh("grep -q 'ok calm' verdict")

    def check(self, seconds: int) -> None:
        """A verdict that is not fresh, or a last look more than so many seconds ago, is nothing to rest on."""
        self.rests()
        self.sh("kill -STOP $(cut -d' ' -f3 watch.lock)")
        poll(lambda: self.sh(OLD), Deadline(20), "the verdict to age", interval=0.2)
        assert self.looks()
        self.sh("kill -CONT $(cut -d' ' -f3 watch.lock)")
        self.rests()
        self.looks_when(dated(seconds + 1))
        self.rests()
