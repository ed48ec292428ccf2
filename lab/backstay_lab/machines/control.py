"""The supervisor's control socket: one line of JSON each way.

Host side it is DIR/control; inside the nodes it is the power management network, which works during partitions.
Requests: {"do": "power-on" | "power-off" | "reset" | "off" | "on" | "status" | "impair" | "heal" | …}; see supervisor.py.
"""

import json
import os
import socket

from backstay_lab.machines.layout import LabError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def request(path: str, do: str, timeout: float = 30.0, **details: object) -> "dict[str, Any]":
    """Ask and return the answer. Raises LabError with the supervisor's reason, or when nobody answers in time."""
    directory = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            # A socket's name holds 107 bytes; this one stays short however long the lab's path is.
            connection.connect(f"/proc/self/fd/{directory}/{os.path.basename(path)}")
            connection.sendall(json.dumps({"do": do, **details}).encode() + b"\n")
            with connection.makefile(encoding="utf-8") as replies:
                line = replies.readline()
    except OSError as failed:
        raise LabError(f"no answer from the lab's supervisor at {path}: {failed}") from failed
    finally:
        os.close(directory)
    if not line:
        raise LabError(f"the lab's supervisor at {path} hung up; its supervisor.log says why")
    reply: dict[str, Any] = json.loads(line)
    if "error" in reply:
        raise LabError(reply["error"])
    return reply
