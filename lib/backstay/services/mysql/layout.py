"""Where the server lives on this node: its program, files, port and account."""

from __future__ import annotations

import os

from backstay.host.command import available
from backstay.ocf.errors import NotInstalled, WrongParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.parameters import MysqlParameters

_CONFIGS = ("/etc/mysql/my.cnf", "/etc/my.cnf")
_BINARIES = ("/usr/sbin/mariadbd", "/usr/sbin/mysqld", "/usr/libexec/mariadbd", "/usr/libexec/mysqld")


class Layout:
    """Where the server lives: files, port, account. As the parameters say."""

    def __init__(
        self,
        binary: str,
        config: str,
        datadir: str,
        socket: str,
        pid_file: str,
        log_error: str,
        user: str,
        port: int,
        node: str,
        server_id: int,
    ) -> None:
        self.binary = binary
        self.config = config
        self.datadir = datadir
        self.socket = socket
        self.pid_file = pid_file
        self.log_error = log_error
        self.user = user
        self.port = port
        self.node = node
        self.server_id = server_id


def find_binary(wanted: str) -> str:
    """The server program. Raises NotInstalled."""
    for path in (wanted,) if wanted else _BINARIES:
        if available(path):
            return path
    raise NotInstalled(f"no server program at {wanted or ' or '.join(_BINARIES[:2])}: install it, or set binary")


def find_config(wanted: str) -> str:
    """The options file. Raises WrongParameter when it cannot be read."""
    for path in (wanted,) if wanted else _CONFIGS:
        if os.access(path, os.R_OK):
            return path
    raise WrongParameter(f"the options file {wanted or ' or '.join(_CONFIGS)} is not readable: set config to it")


def layout_of(given: MysqlParameters, node: str, number: int) -> Layout:
    """As the parameters say. node: this one's name. number: this one's among the servers. Raises NotInstalled, WrongParameter."""
    return Layout(
        binary=find_binary(given.binary),
        config=find_config(given.config),
        datadir=given.datadir,
        socket=given.socket,
        pid_file=given.pid_file,
        log_error=given.log_error,
        user=given.user,
        port=given.port,
        node=node,
        server_id=number,
    )
