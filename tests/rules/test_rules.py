"""House rules that a machine can check: what is pure, where processes are started, what a monitor loads."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from tests.conftest import CHECKOUT, Chamber  # type: ignore[import-not-found]
from tests.rules.structure import modules, tree  # type: ignore[import-not-found]

LIBRARY, LAB = CHECKOUT / "lib/backstay", CHECKOUT / "lab/backstay_lab"
SERVICE = LIBRARY / "services"
MODULES = modules()
# Values in, values out: no clock, no environment, no file, no process, no network.
PURE = [
    "backstay.admin.crm_parser", "backstay.admin.diagnose", "backstay.admin.pcs_writer", "backstay.admin.preflight",
    "backstay.admin.switchover_plan", "backstay.agent.degraded", "backstay.cluster.attributes", "backstay.cluster.model",
    "backstay.cluster.configuration", "backstay.cluster.overview", "backstay.cluster.xml",
    "backstay.host.ip_address", "backstay.ocf.codes",
    "backstay.ocf.parameters",
    "backstay.ocf.steps", "backstay.ocf.table", "backstay.services.haproxy.admin", "backstay.services.haproxy.health",
    "backstay.services.haproxy.server_state", "backstay.services.mysql.admin", "backstay.services.mysql.binlog",
    "backstay.services.mysql.claims", "backstay.services.mysql.duty_steps",
    "backstay.services.mysql.election", "backstay.services.mysql.gtid",
    "backstay.services.mysql.health", "backstay.services.mysql.next_step", "backstay.services.mysql.observation",
    "backstay.services.mysql.options", "backstay.services.mysql.promotion_steps",
    "backstay.services.mysql.rebuild_policy", "backstay.services.mysql.record", "backstay.services.mysql.sessions",
    "backstay.services.rabbitmq.admin",
    "backstay.services.rabbitmq.boot_steps", "backstay.services.rabbitmq.membership_steps",
    "backstay.services.rabbitmq.boot_errors", "backstay.services.rabbitmq.erlang_text", "backstay.services.rabbitmq.etf",
    "backstay.services.rabbitmq.formation", "backstay.services.rabbitmq.health", "backstay.services.rabbitmq.mirror_policy",
    "backstay.services.rabbitmq.observation", "backstay.services.rabbitmq.partition", "backstay.services.rabbitmq.record",
    "backstay.services.rabbitmq.settings", "backstay.services.advice", "backstay.services.promoted_role",
    "backstay.services.vip.admin",
    "backstay.host.arp_ndp", "backstay.services.vip.health", "backstay.services.vip.networks", "backstay.watch.liveness",
    "backstay_lab.campaign.shrink", "backstay_lab.checkers.boots", "backstay_lab.checkers.evidence",
    "backstay_lab.checkers.floor",
    "backstay_lab.checkers.leaks", "backstay_lab.checkers.messages", "backstay_lab.checkers.operations",
    "backstay_lab.checkers.registers", "backstay_lab.checkers.rules", "backstay_lab.checkers.sampling",
    "backstay_lab.checkers.writes", "backstay_lab.nemesis.aimed", "backstay_lab.nemesis.fault",
    "backstay_lab.nemesis.schedule", "backstay_lab.report.summary",
]  # fmt: skip
HARMLESS = {
    "bisect",
    "collections",
    "enum",
    "functools",
    "itertools",
    "lxml",  # of a text that is there, without entities and network
    "math",
    "random",  # seeded: the same every time
    "re",
    "shlex",
    "statistics",
    "struct",
    "typing",
    "__future__",
    "_socket",
}
# Values that a pure module looks things up in, and does none of what they can do.
TABLES = {"backstay_lab.checkers.history", "backstay_lab.nemesis.catalogue"}
SERVICES = {"haproxy", "mysql", "rabbitmq", "vip"}


def imports(path: Path, at_run_time: bool = True) -> set[str]:
    """Modules that a file names, without those under TYPE_CHECKING."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if (
            isinstance(node, ast.If)
            and isinstance(node.test, ast.Name)
            and node.test.id == "TYPE_CHECKING"
            and at_run_time
        ):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree(path))
    return found


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_import_no_input_or_output(name: str) -> None:
    pure = {*PURE, "backstay.ocf.errors"}
    for module in imports(MODULES[name]):
        assert module.partition(".")[0] in HARMLESS or module in pure or module in TABLES, module


def test_one_module_starts_processes() -> None:
    for path in MODULES.values():
        if path.name != "command.py":
            assert "subprocess" not in imports(path), path


def test_no_agent_decides_by_the_wall_clock() -> None:
    """It may be set at any moment. Of a file's date only `Files` makes an age, and that one is the monotonic clock's."""
    files = [path for path in LIBRARY.rglob("*.py") if "admin" not in path.parts]
    for path in files:
        for node in ast.walk(tree(path)):
            name = node.attr if isinstance(node, ast.Attribute) else ""
            of_time = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "time"
            # boot.py works out what RabbitMQ itself will decide by the wall clock; clocks.py compares it with another node's.
            known = of_time and (path.name, name) in (("boot.py", "time"), ("clocks.py", "time"))
            assert known or not (of_time and name in ("time", "time_ns")), f"{path}:{getattr(node, 'lineno', 0)}"
            assert name not in ("st_mtime", "st_ctime", "CLOCK_REALTIME", "now", "utcnow"), path
            if name == "st_mtime_ns":  # what is another for each file; never compared with a clock
                assert path.name in (
                    "state_files.py",
                    "context.py",
                    "ring.py",
                    "tls_check.py",
                    "server.py",
                    "start_note.py",
                    "daemon.py",  # of haproxy
                ), path


def test_services_change_nothing_of_an_account_by_its_name() -> None:
    """Root does that through `untrusted`. What is left is in /run, of root's alone."""
    own = {("launch.py", "chmod"), ("launch.py", "unlink"), ("launch.py", "makedirs"), ("launch.py", "symlink"),
           ("rebuild.py", "makedirs"), ("rebuild.py", "rmtree")}  # fmt: skip
    changes = {"chown", "lchown", "chmod", "truncate", "rename", "unlink", "rmdir", "mkdir", "makedirs", "link", "symlink",
               "utime", "rmtree", "copymode", "copystat", "copyfile", "copytree"}  # fmt: skip
    for service in SERVICES - {"haproxy", "vip"}:  # which have no directory of another account's
        for path in (SERVICE / service).rglob("*.py"):
            for node in ast.walk(tree(path)):
                if (
                    isinstance(node, ast.Attribute)
                    and isinstance(node.value, ast.Name)
                    and node.value.id in ("os", "shutil")
                ):
                    assert node.attr not in changes or (path.name, node.attr) in own, f"{path}:{node.lineno}"


def test_family_questions_stay_in_the_dialects() -> None:
    for path in (SERVICE / "mysql").rglob("*.py"):
        if path.parent.name == "dialects" or path.stem == "binlog":
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Compare):
                words = {c.value for c in ast.walk(node) if isinstance(c, ast.Constant) and isinstance(c.value, str)}
                assert not words & {"MySQL", "MariaDB"}, f"{path.name}:{node.lineno}"


# Runs a recurring monitor of an agent, and prints what it has loaded. Modules that were hidden from others are none.
LOADED = r"""
cat > /tmp/loaded.py <<'END'
import os, sys
path = sys.argv[1]
sys.argv = [path, "monitor"]
os._exit = sys.exit
try:
    exec(compile(open(path).read(), path, "exec"), {"__file__": path, "__name__": "__main__"})
finally:
    print("loaded", *(name for name, module in sys.modules.items() if module is not None))
END
loaded() { OCF_RESKEY_CRM_meta_interval=5000 python3 -IS /tmp/loaded.py /usr/lib/ocf/resource.d/backstay/$1 2>&1 || true; }
"""


def loaded_by(said: str) -> set[str]:
    return set(said.rpartition("loaded ")[2].splitlines()[0].split())


def test_what_a_monitor_of_mysql_loads(chamber: Chamber) -> None:
    """It logs in by the protocol alone: no driver, and nothing that only the driver needs."""
    said = chamber(
        LOADED
        + r"""
        unset CIB_file; ip link set lo up; rm -rf /var/lib/mysql; echo '[mysqld]' > /etc/mysql/set.cnf
        export OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=db OCF_RESKEY_config=/etc/mysql/set.cnf OCF_RESKEY_server_id=1
        export OCF_RESKEY_monitor_password=m OCF_RESKEY_replication_password=r OCF_RESKEY_initialize=true
        /usr/lib/ocf/resource.d/backstay/mysql start
        loaded mysql; loaded mysql  # the first joins it to its set
        /usr/lib/ocf/resource.d/backstay/mysql stop
        """
    ).out
    loaded = loaded_by(said)
    assert {"backstay.services.mysql.replica", "backstay.services.mysql.login"} <= loaded
    heavy = {
        "pymysql",
        "re",
        "socket",
        "datetime",
        "ssl",
        "_hashlib",
        "cryptography",
        "lxml",
        "psutil",
        "logging",
        "json",
        "argparse",
        "dataclasses",
        "pathlib",
    }
    ours = {
        "backstay.cluster.overview",
        "backstay.cluster.xml",
        "backstay.ocf.metadata",
        "backstay.services.mysql.daemon",
        "backstay.services.mysql.rebuild",
        "backstay.services.mysql.promotion",
        "backstay.services.mysql.promotion_steps",
        "backstay.services.mysql.start_steps",
        "backstay.services.mysql.starting",
        "backstay.services.mysql.rescue_steps",
        "backstay.services.mysql.rescue",
        "backstay.services.mysql.duty_steps",
        "backstay.ocf.steps",
        "backstay.agent.interpreter",
    }
    assert loaded & (heavy | ours) == set()


def test_what_a_monitor_of_rabbitmq_loads(chamber: Chamber) -> None:
    """Sockets and little else: no client library, no XML, no hashing by OpenSSL."""
    said = chamber(
        LOADED
        + r"""
        unset CIB_file; ip link set lo up; hostname n1 || true; echo 127.0.0.1 n1 >> /etc/hosts
        export HOME=/root OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=rabbitmq
        /usr/lib/ocf/resource.d/backstay/rabbitmq start; /usr/lib/ocf/resource.d/backstay/rabbitmq promote
        loaded rabbitmq; loaded rabbitmq
        /usr/lib/ocf/resource.d/backstay/rabbitmq stop
        """
    ).out
    loaded = loaded_by(said)
    assert {
        "backstay.services.rabbitmq.distribution",
        "backstay.services.rabbitmq.dialects.mnesia",
        "backstay.services.rabbitmq.coordinator",
    } <= loaded
    heavy = {"ssl", "_hashlib", "lxml", "psutil", "pika", "logging", "json", "argparse", "dataclasses", "pathlib"}
    ours = {
        "backstay.cluster.overview",
        "backstay.cluster.xml",
        "backstay.ocf.metadata",
        "backstay.services.rabbitmq.boot",
        "backstay.services.rabbitmq.doctor",
        "backstay.services.rabbitmq.boot_errors",
        "backstay.services.rabbitmq.boot_steps",
        "backstay.services.rabbitmq.membership_steps",
        "backstay.agent.interpreter",
    }
    assert loaded & (heavy | ours) == set()
