"""Two hosts on one wire, in network namespaces of their own, and the virtual address's agent run as Pacemaker does.

Nothing here touches the host's network.
"""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time

AGENT = str(pathlib.Path(__file__).resolve().parents[2] / "agents/vip")
V4, V6 = "10.9.0.50", "fd09::50"


def ip(*arguments, check=True):
    return subprocess.run(["ip", *arguments], check=check, capture_output=True, text=True).stdout


class Answer:
    """One run of the agent. `reason` as Pacemaker would show it."""

    def __init__(self, code, err, seconds):
        self.code = code
        self.err = err
        self.seconds = seconds
        reasons = [line for line in err.splitlines() if line.startswith("ocf-exit-reason:")]
        self.reason = reasons[-1].partition(":")[2] if reasons else ""


class TwoHosts:
    """`node` runs the agent, `lan` is a client or a rival on the same wire; `other` is a namespace with nothing."""

    def __init__(self, run_directory):
        self.node, self.lan, self.other = (f"bs{os.getpid()}{name}" for name in ("node", "lan", "other"))
        self.run_directory = str(run_directory)
        self.log = ""  # a file; standard error where there is none

    def __enter__(self):
        for name in (self.node, self.lan, self.other):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", self.node, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", self.lan)
        for name, host in ((self.node, 1), (self.lan, 2)):
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "addr", "add", f"10.9.0.{host}/24", "dev", "eth0")
            ip("-n", name, "addr", "add", f"fd09::{host}/64", "dev", "eth0", "nodad")

        return self

    def __exit__(self, *error):
        for name in (self.node, self.lan, self.other):
            for pid in ip("netns", "pids", name, check=False).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            ip("netns", "del", name, check=False)

    def vip(self, action, address=V4, inside=None, interval=0, clone=False, role="", level=0, timeout=20, **parameters):
        environ = self._environ(address, interval, clone, role, level, timeout, parameters)
        begin = time.monotonic()
        done = subprocess.run(
            ["ip", "netns", "exec", inside or self.node, AGENT, action],
            env=environ,
            capture_output=True,
            text=True,
            timeout=30,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        return Answer(done.returncode, done.stderr, time.monotonic() - begin)

    def begun(self, action, address=V4, **parameters):
        """The process of an action that nobody waits for."""
        environ = self._environ(address, 0, False, "", 0, 20, parameters)
        return subprocess.Popen(
            ["ip", "netns", "exec", self.node, AGENT, action],
            env=environ,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _environ(self, address, interval, clone, role, level, timeout, parameters):
        environ = {
            "PATH": os.environ["PATH"],
            "BACKSTAY_RUN": self.run_directory,
            "OCF_RESOURCE_INSTANCE": "vip",
            "HA_LOGFILE": self.log,
            "OCF_RESKEY_CRM_meta_timeout": str(timeout * 1000),
            "OCF_RESKEY_CRM_meta_on_node": "n1",
        }
        if address is not None:
            environ["OCF_RESKEY_ip"] = address
        if interval:
            environ["OCF_RESKEY_CRM_meta_interval"] = str(interval * 1000)
        if clone:
            environ["OCF_RESKEY_CRM_meta_promoted_max"] = "1"
        if role:
            environ["OCF_RESKEY_CRM_meta_role"] = role
        if level:
            environ["OCF_CHECK_LEVEL"] = str(level)
        environ.update({f"OCF_RESKEY_{name}": value for name, value in parameters.items()})
        return environ

    def started(self, address=V4, **parameters):
        answer = self.vip("start", address, **parameters)
        assert answer.code == 0, answer.reason

    def monitor(self, address=V4, **options):
        return self.vip("monitor", address, interval=5, **options)

    def held(self, namespace=None):
        """Addresses of a host as ADDRESS/PREFIX, by interface."""
        listing = ip("-n", namespace or self.node, "-o", "addr", "show")
        return {(line.split()[1], line.split()[3]) for line in listing.splitlines()}

    def has(self, address=V4):
        return any(entry.partition("/")[0] == address for _, entry in self.held())

    def mac(self, namespace):
        return re.search(r"ether (\S+)", ip("-n", namespace, "link", "show", "eth0")).group(1)
