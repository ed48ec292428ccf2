"""Starts a broker: its files, the port mapper, the launcher, the wait until AMQP answers, and the reason when it does not.

The launcher's exit status is never used: it was 0 after a failed boot. What counts is what the launcher and the broker
write.
"""

from __future__ import annotations

import os
import pwd
import re

from backstay.host import untrusted
from backstay.host.command import available, run, spawn
from backstay.host.deadline import Deadline, poll
from backstay.host.process import Process, start_time
from backstay.host.state_files import Unwritable, unwritable
from backstay.ocf.errors import AgentError, NotInstalled, PermissionMissing, TimedOut, WrongParameter
from backstay.services.rabbitmq import amqp, broker, erlang_text
from backstay.services.rabbitmq.etf import Malformed
from backstay.services.rabbitmq.observation import ANSWERS
from backstay.services.rabbitmq.process import find
from backstay.services.rabbitmq.settings import ERLANG_ARGUMENTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from backstay.services.rabbitmq.dialects.base import Dialect

_SERVERS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/opt/rabbitmq/sbin/rabbitmq-server")
# Erlang, of RabbitMQ 3.8 to 4.3. What is logged is printed, at once and as it is; then 1 where the settings are refused.
SPEAK = (
    "logger:set_handler_config(default, filter_default, log), "
    'logger:set_handler_config(default, formatter, {logger_formatter, #{template => [msg, "\\n"]}}), '
    "logger:update_handler_config(default, config, #{sync_mode_qlen => 0})"
)
SETTINGS = (
    "case catch rabbit_prelaunch_conf:setup(rabbit_env:get_context()) of "
    "{'EXIT', {undef, _}} -> 0; "  # an older one, or a newer
    "{'EXIT', {badarg, _}} -> io:format(\"a file has bytes that are no UTF-8~n\"), 1; "
    "{error, _} -> logger_std_h:filesync(default), 1; "
    '{_, _} = Why -> io:format("~0p~n", [Why]), 1; '
    "_ -> 0 end"
)
_FILES = 65536  # open files, as the packages' own units set it
ENVIRONMENT = "/etc/rabbitmq/rabbitmq-env.conf"
# What a broker's directory is called. Beside it are unpacked plugins, and what was put aside.
_NAMED = re.compile(r"[\w.-]+@[\w.-]+$")
_NO_DATA = re.compile(r"(?:-plugins-expand|\.(?:removed|stray)-\d{8}-\d{6})$")
_ASSIGNED = re.compile(r"^\s*(?:export\s+)?(?:RABBITMQ_)?(\w+)=[\"']?([^\"'\s#]*)", re.MULTILINE)
_PROXIED = re.compile(r"^\s*proxy_protocol\s*=\s*(\w+)", re.MULTILINE)


class Inconsistent(AgentError):
    """The broker's data names a cluster that has forgotten the broker."""


class Layout:
    """Where the broker lives. As the parameters say."""

    def __init__(
        self,
        server: str,
        node: str,
        config: str,
        base: str,
        logs: str,
        user: str,
        cookie_file: str,
        listener: amqp.Listener,
        settings: str,
    ) -> None:
        self.server = server
        self.node = node
        self.config = config
        self.base = base
        self.logs = logs
        self.user = user
        self.cookie_file = cookie_file
        self.listener = listener  # that the agent asks on
        self.settings = settings  # a directory for the files of settings that come after `config`

    @property
    def directory(self) -> str:
        """The node's own data."""
        return os.path.join(self.base, self.node)

    @property
    def console(self) -> str:
        """What the launcher and a failing boot print."""
        return os.path.join(self.logs, f"{self.node}-console.log")


def find_server(wanted: str) -> str:
    """The launcher. Raises NotInstalled."""
    for path in (wanted,) if wanted else _SERVERS:
        if available(path):
            return path
    raise NotInstalled(f"no rabbitmq-server at {wanted or ' or '.join(_SERVERS)}: install RabbitMQ, or set server")


def version(server: str) -> str:
    """The installed version, from the name of its main application's directory. Raises NotInstalled."""
    home = os.path.dirname(os.path.dirname(os.path.realpath(server)))
    plugins = os.path.join(home, "plugins")
    names = os.listdir(plugins) if os.path.isdir(plugins) else []
    for name in names:
        application, _, number = name.partition("-")
        if application == "rabbit" and number[:1].isdigit():
            return number[: -len(".ez")] if number.endswith(".ez") else number
    raise NotInstalled(f"the version of {server} cannot be told: there is no application rabbit in {plugins}")


def account(user: str) -> pwd.struct_passwd:
    """Raises WrongParameter."""
    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise WrongParameter(f"there is no system account {user}: install RabbitMQ, or set user") from None


# -- what is on disk ---------------------------------------------------------------------------------------------------


def has_data(directory: str, dialect: Dialect) -> bool:
    """Whether the broker takes what is there for its data. A boot that was cut off early leaves a directory that it does not."""
    try:
        return dialect.has_data(set(os.listdir(directory)))
    except OSError:
        return False


def elsewhere(layout: Layout, dialect: Dialect) -> list[str]:
    """Directories with data of brokers of other names, where the parameter says and where the packages keep them."""
    from backstay.services.rabbitmq.parameters import RabbitmqParameters

    found = []
    for base in dict.fromkeys((layout.base, RabbitmqParameters.data_directory.default)):
        names = sorted(os.listdir(base)) if os.path.isdir(base) else []
        paths = [os.path.join(base, name) for name in names if _NAMED.match(name) and not _NO_DATA.search(name)]
        found += [path for path in paths if path != layout.directory and has_data(path, dialect)]
    return found


def up_at_shutdown(directory: str) -> frozenset[str]:
    """The Erlang names of the nodes that were up when this one went down, empty when that is not recorded (RabbitMQ 4 with
    its own metadata store)."""
    try:
        return erlang_text.node_names(untrusted.text(os.path.join(directory, "nodes_running_at_shutdown")))
    except (OSError, Malformed):
        return frozenset()


def put_aside(directory: str, why: str = "removed") -> str:
    """Rename the node's data; the new name."""
    import time

    kept = f"{directory}.{why}-{time.strftime('%Y%m%d-%H%M%S')}"
    untrusted.move(directory, kept)
    return kept


def force_next_boot(layout: Layout) -> None:
    """As rabbitmqctl force_boot does it: an empty file that the boot takes away."""
    untrusted.replace(os.path.join(layout.directory, "force_load"), b"", account(layout.user), 0o640)


# -- what a boot needs -------------------------------------------------------------------------------------------------


def prepare(layout: Layout) -> None:
    """Directories, owned by the broker's account and writable. Raises PermissionMissing, WrongParameter."""
    owner = account(layout.user)
    for path in (layout.base, layout.logs, os.path.dirname(layout.cookie_file)):
        try:
            untrusted.make_directory(path, owner, 0o750)
        except OSError as error:
            raise PermissionMissing(f"{path} cannot be made the broker's: {error.strerror}") from None
    unwritable = unwritable_by(layout.user, [layout.base, layout.logs])
    if unwritable:
        raise PermissionMissing(
            f"{unwritable} cannot be written by {layout.user}: change its owner or mount it writable"
        )


def unwritable_by(user: str, paths: Sequence[str]) -> str:
    """The first of the directories in which the account cannot make a file, "" when there is none."""
    owner = account(user)
    child = os.fork()
    if child == 0:  # rights are asked for as the account: modes do not show a read-only mount
        number = 255
        try:
            os.setgroups([])
            os.setgid(owner.pw_gid)
            os.setuid(owner.pw_uid)
            number = next((at for at, path in enumerate(paths) if not os.access(path, os.W_OK | os.X_OK)), 254)
        finally:
            os._exit(number)
    _, status = os.waitpid(child, 0)
    number = os.waitstatus_to_exitcode(status)
    return paths[number] if 0 <= number < len(paths) else ""


def additional_settings(config: str) -> list[str]:
    """The admin's files of settings beside the main one, in the broker's order: the *.conf of conf.d, as RabbitMQ itself reads
    them (rabbit_env.erl, additional_config_files), hidden ones too. An editor's backup, a README and a directory are none."""
    theirs = os.path.join(os.path.dirname(config), "conf.d")
    names = sorted(os.listdir(theirs)) if os.path.isdir(theirs) else []
    paths = (os.path.join(theirs, name) for name in names if name.endswith(".conf"))
    return [path for path in paths if os.path.isfile(path)]


def admin_settings(layout: Layout) -> str:
    """The text of the admin's settings, as far as it can be read."""
    text = ""
    with untrusted.rights_of(account(layout.user)):
        for path in (layout.config, *additional_settings(layout.config)):
            try:
                text += given_text(path) + "\n"
            except OSError:
                continue
    return text


def proxied(layout: Layout) -> bool:
    """Whether the admin's settings have clients say first for whom they speak (the PROXY protocol)."""
    return [word.lower() for word in _PROXIED.findall(admin_settings(layout))][-1:] == ["true"]


def admin_environment(layout: Layout) -> dict[str, str]:
    """What the admin's file for the launcher sets, names without their prefix; of a value its first word."""
    try:
        with untrusted.rights_of(account(layout.user)):
            text = given_text(ENVIRONMENT)
    except OSError:
        return {}
    return dict(_ASSIGNED.findall(text))


def given_text(path: str) -> str:
    """Of a file of the admin's. Raises OSError."""
    with open(path, encoding="utf-8", errors="replace", opener=untrusted.waiting_for_nobody) as source:
        return source.read()


def write_settings(layout: Layout, text: str) -> None:
    """The agent's settings, and links to the admin's own additional files, which come before them. Raises Unwritable."""
    try:
        _write_settings(layout, text)
    except OSError as error:
        raise Unwritable(unwritable(layout.settings, error)) from None


def _write_settings(layout: Layout, text: str) -> None:
    owner = account(layout.user)
    os.makedirs(layout.settings, exist_ok=True)
    for path in (os.path.dirname(layout.settings), layout.settings):
        os.chmod(path, 0o755)  # noqa: S103  the broker's account reads the files; they hold no secret
    for name in os.listdir(layout.settings):
        os.unlink(os.path.join(layout.settings, name))
    with untrusted.rights_of(owner):
        additional = additional_settings(layout.config)
    for theirs in additional:
        os.symlink(theirs, os.path.join(layout.settings, f"a-{os.path.basename(theirs)}"))
    path = os.path.join(layout.settings, "z-backstay.conf")
    with open(path, "w", encoding="utf-8") as sink:
        os.fchmod(sink.fileno(), 0o640)
        os.fchown(sink.fileno(), 0, owner.pw_gid)
        sink.write(text)


def ensure_port_mapper(layout: Layout, deadline: Deadline) -> None:
    """Erlang's port mapper is one for the host and outlives every broker: where systemd runs it belongs there, else in a
    session of its own. Left to the first broker it would be in that one's group and cgroup, and die with it."""
    if amqp.listening(4369):
        return
    if os.path.isdir("/run/systemd/system"):
        started = run(["systemctl", "start", "epmd.service"], timeout=deadline.within(10).remaining(), check=False)
        if started.status == 0 and amqp.listening(4369):
            return
    program = next((path for path in ("epmd", "/usr/lib64/erlang/bin/epmd") if available(path)), "")
    if not program:
        raise NotInstalled("epmd, Erlang's port mapper, is not installed: it comes with Erlang")
    owner = account(layout.user)
    spawn([program], user=owner.pw_uid, group=owner.pw_gid)
    poll(lambda: bool(amqp.listening(4369)), deadline.within(10), "epmd, Erlang's port mapper, to listen")


def environment(layout: Layout) -> dict[str, str]:
    """Names, places and what must not be lost. The admin's rabbitmq-env.conf is read by the launcher itself. Where the agent asks
    with TLS, whether there is a port without is for the admin's configuration to say."""
    plain = {} if layout.listener.ca else {"RABBITMQ_NODE_PORT": str(layout.listener.port)}
    return {
        **plain,
        "HOME": os.path.dirname(layout.cookie_file),
        "RABBITMQ_NODENAME": layout.node,
        "RABBITMQ_USE_LONGNAME": "true" if "." in layout.node.partition("@")[2] else "false",
        "RABBITMQ_CONFIG_FILE": layout.config,
        "RABBITMQ_CONFIG_FILES": layout.settings,
        "RABBITMQ_MNESIA_BASE": layout.base,
        "RABBITMQ_LOG_BASE": layout.logs,
        # Appended to whatever command line the launcher makes; its own variables for that are the admin's.
        "ERL_ZFLAGS": ERLANG_ARGUMENTS,
    }


def check_settings(layout: Layout, deadline: Deadline) -> None:
    """Have the launcher read the admin's settings as a boot does first, in an Erlang machine that then ends: no node, no data.
    Raises WrongParameter with RabbitMQ's own words, TimedOut."""
    from backstay.services.rabbitmq.boot_errors import complaint

    env = {
        **environment(layout),
        "RABBITMQ_CONFIG_FILES": os.path.join(os.path.dirname(layout.config), "conf.d/*.conf"),
        "RABBITMQ_NODE_ONLY": "1",
        "RABBITMQ_ALLOW_INPUT": "1",  # it becomes the Erlang machine, whose exit status is its own then
    }
    argv = [
        "env",
        "-C",
        "/",
        "runuser",
        "-u",
        layout.user,
        "--",
        layout.server,
        "-noinput",
        "-eval",
        f"{SPEAK}, halt({SETTINGS}).",
    ]
    done = run(argv, timeout=deadline.remaining(), check=False, env=env)
    if done.status:
        said = complaint(done.out + done.err).text or f"the launcher ends with status {done.status}"
        raise WrongParameter(f"{layout.config} is not accepted: {said.rstrip('.')}: correct it")


def launch(layout: Layout) -> Process:
    """Start the launcher. It stays the broker's parent while that lives."""
    import resource

    owner = account(layout.user)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES if hard < 0 else min(_FILES, hard), hard))
    untrusted.replace(layout.console, b"", owner, 0o640)
    console = untrusted.descriptor(layout.console, os.O_WRONLY | os.O_APPEND)
    try:
        pid = spawn(
            [layout.server],
            log=console,
            env=environment(layout),
            user=owner.pw_uid,
            group=owner.pw_gid,
            cwd=layout.base,
        )
    finally:
        os.close(console)
    return Process(pid, start_time(pid))


def await_greeting(
    layout: Layout, launcher: Process, deadline: Deadline, look: Callable[[], bool] | None
) -> Process | None:
    """The broker's process, once AMQP answers; None as soon as `look` has seen enough of the boot. Raises AgentError with the
    broker's own words when it ends before, TimedOut."""
    found: list[Process] = []

    def settled() -> bool:
        if amqp.listening(layout.listener.port) and broker.greets(layout.listener, deadline.within(2)) == ANSWERS:
            found.extend(filter(None, [find("", layout.node, layout.directory)]))
        if found or (look and look()):
            return True
        if not launcher.alive():
            raise boot_failure(layout)
        return False

    try:
        poll(settled, deadline, "the broker to answer AMQP", interval=0.1)
    except TimedOut:
        why = "the broker did not answer AMQP in time"
        if amqp.listening(layout.listener.port):
            why += f", though port {layout.listener.port} is open: do proxy_protocol and tls_port fit its settings?"
        raise TimedOut(f"{why}: see {layout.logs}/{layout.node}.log".replace("?:", "?")) from None
    return found[0] if found else None


def boot_failure(layout: Layout) -> AgentError:
    """Why the boot failed, from what was printed."""
    from backstay.services.rabbitmq.boot_errors import complaint

    try:
        said = complaint(untrusted.text(layout.console))
    except OSError as error:
        return AgentError(f"the broker ended while booting, and {layout.console} cannot be read: {error.strerror}")
    if said.configuration:
        return WrongParameter(f"{layout.config} is not accepted: {said.text}")
    if said.inconsistent:
        return Inconsistent(said.text)
    return AgentError(f"the broker ended while booting: {said.text or f'see {layout.console}'}")
