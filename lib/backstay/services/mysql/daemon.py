"""Starts and ends the server: options, directories, an uninitialised data directory, and the reason when the server does not
come up."""

from __future__ import annotations

import os

from backstay.host import untrusted
from backstay.host.command import environment, run, spawn
from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError, CommandFailed, PermissionMissing, WrongParameter
from backstay.services.mysql import process
from backstay.services.mysql.dialects import dialect_for
from backstay.services.mysql.observation import EPOCHS, NODES
from backstay.services.mysql.options import read_options, read_values

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pwd
    from collections.abc import Sequence

    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.layout import Layout

_NO_DATA = ("lost+found",)  # what a new file system has
_LOG = "binlog"  # of the binary logs, where the admin names none
_NO_REFUSAL = ("[Note]", "[Warning]", "[System]", "Fatal error in defaults handling", "Aborting")
_PLUGIN = ("Can't open shared library", "Couldn't load plugin")
_PREFIX = r"^(\[\S+\] )*(Buffered error: |error: |\S*(mariadbd|mysqld): (\[ERROR\] )?)*"  # before what is told
# Clients that all come at once, as after a failover, fill the queue of the listening socket. The servers' own default, about 80
# for 150 connections, is too short: the kernel then answers with SYN cookies and drops the last step of the handshake, and a
# client of MySQL, which waits to be greeted, hangs (137 of 500 at a server that took nobody for a second). The kernel takes less
# where net.core.somaxconn is less.
BACKLOG = 4096


def dialect_of(binary: str) -> Dialect:
    return dialect_for(run([binary, "--no-defaults", "--version"], timeout=5).out)


def configured(layout: Layout) -> dict[str, str]:
    """Options that the admin's file sets, names with dashes. The server says it: which groups it reads depends on its version,
    [mariadb-10.11] among them. Raises WrongParameter for a file that does not parse."""
    try:
        return read_options(run([layout.binary, f"--defaults-file={layout.config}", "--print-defaults"], timeout=5).out)
    except CommandFailed as error:
        raise WrongParameter(_refused(layout, error)) from None


def incarnation_id(node: int, epoch: int) -> int:
    """The replication id of a server that starts in an epoch: another one than when it last was primary.

    A replica drops events that bear its own id. But an old primary has to take back what it had written, had
    acknowledged and then rolled back in its crash recovery as unfinished; under its old id it would drop just those,
    silently (seen on MariaDB 10.11).
    """
    return node % NODES * EPOCHS + epoch % EPOCHS


def same_node(one: int, other: int) -> bool:
    """Whether two such ids are of incarnations of one server."""
    return one // EPOCHS == other // EPOCHS


def command_line(
    layout: Layout, dialect: Dialect, admin: dict[str, str], epoch: int, discard_unacknowledged: bool
) -> list[str]:
    """What the agent's promises rest on goes on the command line, where no options file can undo it; the rest is the admin's."""
    line = [
        layout.binary,
        f"--defaults-file={layout.config}",
        f"--user={layout.user}",
        f"--datadir={layout.datadir}",
        f"--socket={layout.socket}",
        f"--pid-file={layout.pid_file}",
        f"--port={layout.port}",
        f"--log-error={log_file(layout, admin)}",
        f"--report-host={layout.node}",
        f"--report-port={layout.port}",
        f"--server-id={incarnation_id(layout.server_id, epoch)}",
    ]
    line += [f"--{name}={value}" for name, value in dialect.required().items()]
    line += ["--event-scheduler=OFF"]  # the primary's monitor sets it as the options file has it
    line += dialect.start_options(discard_unacknowledged and dialect.wrote_last(layout.datadir, admin))
    # Names of files stay the admin's: another name would start another history.
    line += [f"--log-bin={_LOG}"] if "log-bin" not in admin or left_behind(layout, admin) else []
    line += ["--relay-log=relay"] if "relay-log" not in admin else []
    line += [f"--back-log={BACKLOG}"] if "back-log" not in admin else []
    return line


def binlog_index(layout: Layout) -> str:
    """The file that lists the binary logs, whether it is there or not. Raises WrongParameter."""
    admin = configured(layout)
    return _index(layout, {} if left_behind(layout, admin) else admin)


def _index(layout: Layout, admin: dict[str, str]) -> str:
    base = admin.get("log-bin") or _LOG
    name = admin.get("log-bin-index") or os.path.splitext(base)[0] + ".index"
    return os.path.join(layout.datadir, name)


def left_behind(layout: Layout, admin: dict[str, str]) -> str:
    """The index of the logs that hold this server's history, where the admin's file names other ones that are not there; "" for
    the usual case. Under another name the server would begin another history, as an empty one."""
    own, theirs = _index(layout, {}), _index(layout, admin)
    named = admin.get("log-bin") and "log-bin-index" not in admin and own != theirs
    return own if named and os.path.exists(own) and not os.path.exists(theirs) else ""


def log_file(layout: Layout, admin: dict[str, str]) -> str:
    return os.path.join(layout.datadir, layout.log_error or admin.get("log-error") or "error.log")


def prepare(layout: Layout) -> None:
    """Directories that a reboot empties. Raises PermissionMissing, WrongParameter."""
    owner = account(layout.user)
    for path in {os.path.dirname(layout.socket), os.path.dirname(layout.pid_file)}:
        if not os.path.isdir(path):
            try:
                untrusted.make_directory(path, owner, 0o755)
            except OSError as error:
                raise PermissionMissing(f"{path} for socket and pid file cannot be made: {error.strerror}") from None


def account(user: str) -> pwd.struct_passwd:
    """Raises WrongParameter."""
    import pwd

    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise WrongParameter(f"there is no system account {user}: install the server, or set user") from None


def initialize(layout: Layout, dialect: Dialect, deadline: Deadline) -> None:
    """Make an empty data directory a database; call `initialized` once its accounts are there, too. Raises CommandFailed.

    Until then a mark beside the directory says that what is in it is the agent's and unfinished, so that the next start begins
    anew: without it a start cut short would leave a database that nobody can replicate from.
    """
    owner = account(layout.user)
    try:
        untrusted.make_directory(layout.datadir, owner, 0o755)
        if not untrusted.guarded(layout.datadir):
            raise PermissionMissing(
                f"not root alone may replace {layout.datadir} while it is initialised: chown root the directories above it"
            )
        if untrusted.there(_unfinished(layout.datadir)):
            untrusted.clear(layout.datadir, keep=_NO_DATA)
        elif not set(os.listdir(layout.datadir)) - set(_NO_DATA):
            untrusted.replace(_unfinished(layout.datadir), b"", None, 0o644)
        untrusted.set_directory(layout.datadir, owner)
    except OSError as error:
        raise PermissionMissing(f"{layout.datadir} cannot be made the server's: {error.strerror}") from None
    argv = dialect.initialize_command(layout.binary, layout.datadir, layout.user, layout.config)
    log = log_file(layout, configured(layout))
    before = untrusted.size(log)
    try:
        run(argv, timeout=deadline.remaining())
    except CommandFailed as error:
        resolved(layout)
        raise CommandFailed(f"{error}: {last_error(log, before)}", error.status, error.output) from None


def initialized(layout: Layout) -> None:
    untrusted.remove(_unfinished(layout.datadir))


def _unfinished(datadir: str) -> str:
    return os.path.normpath(datadir) + ".unfinished"


def is_uninitialised(datadir: str) -> bool:
    """No database in it: missing, without system tables, or with what an initialisation left that was cut short."""
    return not os.path.isdir(os.path.join(datadir, "mysql")) or is_half_made(datadir)


def is_half_made(datadir: str) -> bool:
    """Its initialisation was cut short or failed: a server on it may lack the accounts."""
    return os.path.exists(_unfinished(datadir))


def launch(
    layout: Layout,
    dialect: Dialect,
    epoch: int,
    discard_unacknowledged: bool,
    deadline: Deadline,
    overriding: Sequence[str] = (),
) -> process.Process:
    """Start the server, with `overriding` the last options, and wait until it greets. Raises AgentError with what its log
    says, WrongParameter where it does not take its options: then it ends before it has a log."""
    admin = configured(layout)
    line = [*command_line(layout, dialect, admin, epoch, discard_unacknowledged), *overriding]
    log = log_file(layout, admin)
    untrusted.remove(layout.socket, socket=True)  # a dead server's: a connection to it would be refused, not answered
    before = untrusted.size(log)
    pid = spawn(line)
    child = process.at(pid)

    def settled() -> bool | None:
        from backstay.services.mysql.server import answers

        if child is None or not child.alive():
            return True
        return answers(layout.socket, min(1.0, deadline.remaining() + 0.01)) or None

    poll(settled, deadline, "the server to greet", interval=0.03)
    if child is None or not child.alive():
        resolved(layout)
        raise AgentError(f"the server ended while starting: {last_error(log, before)}")
    return child


def last_error(log: str, offset: int = 0) -> str:
    """The first error after `offset` bytes of the log: the first names the cause, those after it the consequences."""
    try:
        said = untrusted.read(log, offset).decode("utf-8", "replace")
        errors = [line for line in said.splitlines() if "[ERROR]" in line]
    except OSError as error:
        return f"its log {log} cannot be read: {error.strerror}"
    if not errors:
        return f"see {log}"
    return errors[0].partition("[ERROR]")[2].strip()


def resolved(layout: Layout) -> dict[str, str]:
    """All of the server's variables as it would start with the admin's file alone, names with dashes; it parses its options and
    does not start. Raises WrongParameter with the server's own words."""
    argv = [layout.binary, f"--defaults-file={layout.config}", "--verbose", "--help"]
    try:
        return read_values(run(argv, timeout=10, env=environment()).out)
    except CommandFailed as error:
        raise WrongParameter(_refused(layout, error)) from None


def _refused(layout: Layout, error: CommandFailed) -> str:
    said = refusal(error.output) or str(error)
    return f"{layout.config} is not accepted: {said.rstrip('.')}: correct it"


def refusal(printed: str) -> str:
    """Why a server does not take its options, of all that it printed before the pages of help; "" when nothing tells. A file
    that does not parse is told before there is a log. A plugin that is missing stops no server: that its options are unknown
    then does."""
    import re

    lines = [line for line in printed.splitlines() if not any(sign in line for sign in _NO_REFUSAL)]
    errors = [line.partition("[ERROR]")[2] for line in lines if "[ERROR]" in line]
    fatal = [line for line in errors if not any(sign in line for sign in _PLUGIN)] or errors
    said = (fatal or [line for line in lines if line.strip()] or [""])[0]
    printable = "".join(sign for sign in said if sign.isprintable())
    return re.sub(_PREFIX, "", printable.strip())
