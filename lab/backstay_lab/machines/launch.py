"""Bringing a lab up and taking it away."""

import fcntl
import json
import os
import shutil
import signal
import sys
from contextlib import contextmanager

from backstay.host import command
from backstay.host.deadline import Deadline, poll
from backstay_lab.machines import configuration, image, network, release, volume
from backstay_lab.machines.control import request
from backstay_lab.machines.layout import CLIENT, LabError, Layout, started, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet
    from typing import Optional

TOOLS = {"unshare": "util-linux", "nsenter": "util-linux", "setpriv": "util-linux", "ip": "iproute2", "nft": "nftables"}
PATIENCE = 15  # seconds that the nodes wait for each other before Pacemaker starts, at the first boot


@contextmanager
def supervisor(
    layout: Layout,
    plan: "dict[str, object]",
    say: "Callable[[str], None]",
    program: str = "backstay_lab.machines.supervisor",
    make: "Optional[Callable[[], None]]" = None,
) -> "Iterator[None]":
    """Run a supervisor with all nodes on for the length of the block, and beyond if the block ends well.

    `plan` is {"nodes": int, "image": suite, "token": ms, "boot_delay": s, "fence_action": "reboot" or "off", "volume": MiB,
    0 for none, "revision": as release.fetch has it, "" for ours}. `make` makes the nodes that `program` turns on, once that
    runs. A block that raises, or a death of this process inside it, takes the lab away. Raises LabError.
    """
    _check_host()
    os.makedirs(layout.directory, exist_ok=True)
    others = sorted(set(os.listdir(layout.directory)) - {"lock"})
    if others and "lab.json" not in others:
        raise LabError(f"{layout.directory} holds {others[0]}; give the lab a directory of its own")
    with open(layout.path("lock"), "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(f"another `backstay lab up` is at work in {layout.directory}") from None
        if layout.supervisor and os.path.exists(layout.path("ready")):
            raise LabError(f"a lab is up in {layout.directory}; `backstay lab down` ends it")
        remove(layout, but={"lock"})  # what a lab left that did not come to its end
        end, lifeline = os.pipe()
        try:
            names = _prepare(layout, plan, say)
            _start(layout, end, program)
            if make is not None:
                make()
            for name in names:
                request(layout.path("control"), "power-on", node=name, patience=PATIENCE)
            say("nodes are on")
            yield
            write(layout.path("ready"), "")
            os.write(lifeline, b"1")
        except BaseException:
            remove(layout)
            raise
        finally:
            os.close(end)
            os.close(lifeline)


def _prepare(layout: Layout, plan: "dict[str, object]", say: "Callable[[str], None]") -> "list[str]":
    """Put everything but the sockets into the lab's directory; return the names of its nodes and the client."""
    root = image.ensure(str(plan["image"]), say)
    nodes = [f"n{number}" for number in range(1, int(str(plan["nodes"])) + 1)]
    addresses = {name: network.address(name) for name in [*nodes, CLIENT]}
    write(layout.path("lab.json"), json.dumps({**plan, "suite": plan["image"], "image": root, "nodes": addresses}))
    for name in addresses:
        files = configuration.seed(name, nodes, int(str(plan["token"])), str(plan["fence_action"]))
        for path, text in files.items():
            write(layout.node(name, "seed", path), text)
    if plan["volume"]:
        for name in nodes:
            volume.create(layout, name, int(str(plan["volume"])))
    release.spread(layout, root, list(addresses), str(plan["revision"]))
    return list(addresses)


def remove(layout: Layout, but: "AbstractSet[str]" = frozenset()) -> None:
    """End the lab in this directory, alive or half dead, and delete its files `but` these. No lab is no error."""
    pid = layout.supervisor
    if pid is not None:
        for node in os.listdir(layout.path("nodes")):
            volume.thaw(layout, node)  # else whoever writes there would outlive the kill
        os.kill(pid, signal.SIGKILL)
        # Its PID namespace goes with it, and it is not dead before every process in there is.
        poll(lambda: started(pid) is None, Deadline(30), "the lab's processes to die", interval=0.01)
    if not os.path.isdir(layout.directory):
        return
    held = set(os.listdir(layout.directory))
    if not held & {"lab.json", "lock"}:
        return  # nothing says that a lab was here: whatever it is, it is not ours to delete
    # The mark goes last, so that a removal cut short can be finished.
    for name in sorted(held - but - {"lab.json"} if "lab.json" in held else {"lock"} - but):
        if os.path.isdir(layout.path(name)):
            shutil.rmtree(layout.path(name))
        else:
            os.unlink(layout.path(name))
    if "lab.json" in held:
        os.unlink(layout.path("lab.json"))
    if not os.listdir(layout.directory):
        os.rmdir(layout.directory)


def _check_host() -> None:
    if os.geteuid() != 0:
        raise LabError("a lab needs root: it makes namespaces, mounts and network interfaces")
    missing = sorted({package for tool, package in TOOLS.items() if not command.available(tool)})
    if missing:
        raise LabError(f"tools that a lab needs are not installed here: apt-get install {' '.join(missing)}")


def _start(layout: Layout, lifeline: int, program: str) -> None:
    """Start the supervisor and wait until it answers. `lifeline` is the reading end of its pipe from us."""
    library = layout.path("code", "lab")  # the copy, so that an edit of the checkout changes nothing under way
    namespaces = ["unshare", "--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child"]
    python = [sys.executable, "-m", program, layout.directory, str(lifeline)]
    log = layout.path("supervisor.log")
    child = command.spawn(
        [*namespaces, *python], log=log, env={"PYTHONPATH": library}, pass_fds=[lifeline], umask=0o022
    )

    def answers() -> bool:
        if started(child) is None:
            with open(log, encoding="utf-8", errors="replace") as complaints:
                last = (complaints.read().strip().splitlines() or ["nothing"])[-1]
            raise LabError(f"the lab's supervisor did not start; it said last: {last}")
        try:
            request(layout.path("control"), "status", timeout=5)
        except LabError:
            return False  # not listening yet
        return True

    poll(answers, Deadline(15), "the lab's supervisor", interval=0.02)
