"""`backstay lab run`: become a command inside a node. Imports little: it is called hundreds of times."""

import os
import sys

from backstay_lab.machines.layout import CONNECTION, LabError, Layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

USAGE = "usage: backstay lab run [--dir DIR] NODE -- CMD [ARG ...]"
# The clock, modules and raw hardware are the host's: `run n1 -- date -s` must not set it.
BOUNDING = "--bounding-set=-sys_time,-sys_module,-sys_rawio"
UNABLE = 125  # exit status when the command could not even be tried, as docker, chroot and env have it
# The command sees the node's environment, not the caller's.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = [f"PATH={PATH}", "HOME=/root", "USER=root", "LANG=C.UTF-8"]


def argv_for(layout: Layout, node: str, command: "Sequence[str]") -> "list[str]":
    """The argument list that runs `command` in the node. Raises LabError when the node is off or unknown."""
    control = layout.node(node, CONNECTION)
    if os.path.exists(control):
        return _over_ssh(control, command)
    init = layout.init_of(node)
    if init is None:
        raise LabError(f"{node} is off; `backstay lab power-on {node}` turns it on")
    # nsenter forks to enter a PID namespace. The death signal ends the command with nsenter: without it, a killed
    # `run` would leave the command behind.
    enter = ["nsenter", "-t", str(init), "-m", "-u", "-i", "-n", "-p", "setpriv", "--pdeathsig", "KILL", BOUNDING]
    return [*enter, *_as_root(command)]


def _over_ssh(control: str, command: "Sequence[str]") -> "list[str]":
    """Through the connection that the supervisor keeps, or not at all: a new one would hang when the node is gone."""
    import shlex

    options = ["ControlMaster=no", "ProxyCommand=false", "BatchMode=yes", "LogLevel=ERROR"]
    ssh = ["ssh", "-S", control, *(word for option in options for word in ("-o", option))]
    return [*ssh, "node", "sudo", "--non-interactive", shlex.join(_as_root(command))]


def _as_root(command: "Sequence[str]") -> "list[str]":
    return ["env", "-i", f"TERM={os.environ.get('TERM', 'dumb')}", *ENVIRONMENT, *command]


def main(arguments: "list[str]") -> "NoReturn":
    """`arguments` follow the word `run`. Never returns: the process becomes the command."""
    directory = ".lab"
    while arguments and arguments[0].startswith("-"):
        option, _, value = arguments.pop(0).partition("=")
        if option != "--dir" or not (value or arguments):
            _refuse(USAGE)
        directory = value or arguments.pop(0)
    if len(arguments) > 1 and arguments[1] == "--":
        del arguments[1]
    if len(arguments) < 2:
        _refuse(USAGE)
    try:
        argv = argv_for(Layout(directory), arguments[0], arguments[1:])
    except LabError as reason:
        _refuse(f"backstay: {reason}")
    try:
        os.execvp(argv[0], argv)  # noqa: S606
    except FileNotFoundError:
        _refuse("backstay: nsenter (package util-linux) is not installed here")


def _refuse(message: str) -> "NoReturn":
    print(message, file=sys.stderr)
    sys.exit(UNABLE)
