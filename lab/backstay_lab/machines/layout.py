"""What stands where in a lab's directory, and how a process is named so that a reused pid is never mistaken for it.

    DIR/lab.json           the plan: {"nodes": {name: address}, "image": …}, written by `up` before anything starts
    DIR/supervisor         "PID START" of the supervisor, as this host sees it
    DIR/ready              there once `up` succeeded
    DIR/control            Unix socket of the supervisor; in the nodes it is the power management network
    DIR/code/              the lab's own copy of the agents and the library, and packages for the client
    DIR/earlier/           the same of the revision that the nodes began with, in a lab that was asked for one
    DIR/endpoints.json     written by a topology: {"writer": URL, …}
    DIR/nodes/NAME/        init ("PID START" of the node's init, empty when off), seed/ (files for a new disk),
                           upper/ and work/ (the disk), root/ (where it is mounted), console.log, code/ (the agents and the
                           library that the node sees, as release.py has them)
A lab of Vagrant's machines has besides, or instead for its nodes:
    DIR/nodes/NAME/ssh     the connection to the node that the supervisor keeps, while it stands; ssh.log
    DIR/lxc/               the containers, disks included
    DIR/vagrant/           Vagrant's own: its home with the box, its state of this lab, ssh_config

Only what `run` needs is imported here: `run` is called hundreds of times.
"""

import os

from backstay.ocf.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

CLIENT = "client"
CONNECTION = "ssh"
SOCKET_IN_NODE = "/run/power-management"


class LabError(AgentError):
    """The lab cannot do what was asked. One sentence for the person who asked."""


class Layout:
    """Paths of one lab."""

    def __init__(self, directory: str) -> None:
        self.directory = os.path.abspath(directory)

    def path(self, *parts: str) -> str:
        return os.path.join(self.directory, *parts)

    def node(self, name: str, *parts: str) -> str:
        return self.path("nodes", name, *parts)

    def init_of(self, name: str) -> "Optional[int]":
        """The pid of the node's init as this host sees it; None when the node is off. Raises LabError: no such node."""
        if not os.path.isdir(self.node(name)):
            if not os.path.exists(self.path("lab.json")):
                raise LabError(f"there is no lab in {self.directory}; `backstay lab up` starts one")
            raise LabError(f"the lab in {self.directory} has no node {name}")
        return living(self.node(name, "init"))

    @property
    def supervisor(self) -> "Optional[int]":
        """The pid of the supervisor as this host sees it; None when it is dead."""
        return living(self.path("supervisor"))


def started(pid: "int | str") -> "Optional[str]":
    """When a process started, in clock ticks since boot; None when it is dead (a zombie is)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def living(path: str) -> "Optional[int]":
    """The pid in a file of the form "PID START", if that very process lives."""
    try:
        with open(path, encoding="utf-8") as record:
            words = record.read().split()
    except FileNotFoundError:
        return None
    if len(words) != 2 or started(words[0]) != words[1]:
        return None
    return int(words[0])


def write(path: str, text: str, mode: int = 0o644) -> None:
    """Write a whole file; a reader sees the old one or the new one."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    partial = f"{path}.partial"
    with open(partial, "w", encoding="utf-8") as sink:
        sink.write(text)
    os.chmod(partial, mode)
    os.replace(partial, path)
