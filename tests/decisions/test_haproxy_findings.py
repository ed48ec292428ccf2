"""What HAProxy's words mean: outputs of 2.6 and 3.2 as they were seen."""

from __future__ import annotations

import pytest

from backstay.ocf.codes import ExitCode
from backstay.services.haproxy.health import FINDINGS, complaint, judge, parse_processes, parse_stat, parse_version
from backstay.services.haproxy.server_state import Configuration, keep, restore, unchanged

HEAD = "#<PID>          <type>          <reloads>       <uptime>        <version>      \n"
SERVING = HEAD + (
    "15              master          2 [failed: 0]   0d00h00m02s     2.6.12-1\n"
    "# workers\n56              worker          0               0d00h00m01s     2.6.12-1\n"
    "# old workers\n18              worker          1               0d00h00m01s     2.6.12-1\n# programs\n\n"
)
FAILED_2_6 = HEAD + (
    "15              master          2 [failed: 1]   0d00h00m02s     2.6.12-1\n"
    "# workers\n56              worker          1               0d00h00m01s     2.6.12-1\n# programs\n\n"
)
FAILED_3_2 = HEAD + (
    "19              master          3 [failed: 1]   0d00h00m02s     3.2.26-1\n# workers\n"
    "# old workers\n45              worker          1               0d00h00m01s     3.2.26-1\n"
    "22              worker          3               0d00h00m09s     3.2.26-1\n\n"
)
NUMBERED = "#<PID>          <type>          <relative PID>  <reloads>       <uptime>        <version>      \n"
SERVING_2_2 = NUMBERED + (
    "4               master          0               1               0d00h00m03s     2.2.9-2+deb11u6\n"
    "# workers\n26              worker          1               0               0d00h00m02s     2.2.9-2+deb11u6\n"
    "# old workers\n18              worker          [was: 1]        1               0d00h00m04s     2.2.9-2+deb11u6\n"
    "# programs\n\n"
)
FAILED_2_2 = NUMBERED + (
    "4               master          0               3               0d00h00m05s     2.2.9-2+deb11u6\n# workers\n"
    "# old workers\n26              worker          [was: 1]        2               0d00h00m04s     2.2.9-2+deb11u6\n"
    "18              worker          [was: 1]        3               0d00h00m09s     2.2.9-2+deb11u6\n"
)
STAT = (
    "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,act,bck,"
    "chkfail,chkdown,last_chk\n"
    "web,FRONTEND,,,0,1,1000,3,0,0,0,0,0,,,,,OPEN,,,,,,\n"
    "db,FRONTEND,,,0,1,1000,3,0,0,0,0,0,,,,,PAUSED,,,,,,\n"
    'db,s1,0,0,0,1,,3,0,0,,0,,0,0,0,0,UP,1,1,0,0,0,"a, b"\n'
    "db,BACKEND,0,0,0,1,100,3,0,0,0,0,,0,0,0,0,UP,1,1,1,,0,\n"
    "empty,BACKEND,0,0,0,1,100,3,0,0,0,0,,0,0,0,0,UP,0,0,0,,0,\n"
    "dead,BACKEND,0,0,0,1,100,3,0,0,0,0,,0,0,0,0,DOWN,0,0,0,,0,\n"
)


def test_the_complaint_of_the_last_reload_in_the_log_of_2_2() -> None:
    """It tells of its aftermath in the words that begin a reload."""
    failed = (
        "[WARNING] 332/101527 (4) : Reexecuting Master process\n"
        "[ALERT] 332/101527 (4) : parsing [/tmp/b.cfg:4] : unknown proxy mode 'tpc'.\n"
        "[ALERT] 332/101527 (4) : Fatal errors found in configuration.\n"
        "[WARNING] 332/101527 (4) : Reexecuting Master process in waitpid mode\n"
        "[WARNING] 332/101527 (4) : Reexecuting Master process\n"
    )
    assert complaint(failed) == "/tmp/b.cfg:4: unknown proxy mode 'tpc'"
    bound = "[ALERT] 332/1 (4) : Starting frontend web: cannot bind socket [0.0.0.0:8080]\n"
    assert complaint(bound) == "0.0.0.0:8080 cannot be bound"


def test_versions() -> None:
    assert parse_version("HA-Proxy version 2.2.9-2+deb11u6 2023/12/23 - https://haproxy.org/\n") == (2, 2)
    assert parse_version("HAProxy version 2.10.1-1") == (2, 10)
    for other in ("", "version", "version two.2", "true (GNU coreutils) 9.1"):
        assert parse_version(other) is None


@pytest.mark.parametrize(
    ("text", "worker", "failed", "old"),
    [
        (SERVING, 56, 0, (18,)),
        (FAILED_2_6, 56, 1, ()),
        (FAILED_3_2, 45, 1, (22,)),
        (SERVING_2_2, 26, 0, (18,)),
        (FAILED_2_2, 26, 2, (18,)),
    ],
    ids=["serving", "failed 2.6", "failed 3.2", "serving 2.2", "failed 2.2"],
)
def test_which_worker_serves(text: str, worker: int, failed: int, old: tuple[int, ...]) -> None:
    found = parse_processes(text)
    assert found and (found.worker, found.failed, found.old) == (worker, failed, old)


def test_other_answers_are_no_answers() -> None:
    assert parse_processes("Unknown command\n") is None
    assert parse_stat("Can't find the target CLI!\n") is None


def test_stat() -> None:
    stat = parse_stat(STAT)
    assert stat and stat.frontends == {"web": "OPEN", "db": "PAUSED"}
    assert stat.backends == {"db": 2, "empty": 1, "dead": 0}


@pytest.mark.parametrize(
    ("frontends", "held", "required", "stale", "finding", "says"),
    [
        (["web"], False, {}, "", "serves", ""),
        (["web", "db"], False, {}, "", "closed", "frontend db is PAUSED"),
        (["web", "new"], False, {}, "", "closed", "frontend new is not in the configuration that runs"),
        (["db"], True, {}, "", "held", ""),
        (["web", "db"], True, {}, "", "leaks", "frontend web is OPEN though not promoted"),
        (["web"], False, {"db": 2}, "", "serves", ""),
        (["web"], False, {"db": 3}, "", "no backend", "backend db has 2 servers up, require_backends asks for 3"),
        (["web"], False, {"dead": 1}, "", "no backend", "backend dead has 0 servers up"),
        (["web"], False, {"none": 1}, "", "no backend", "backend none is not in the configuration"),
        (["web"], False, {}, "line 7", "stale", "line 7"),
        (["db"], True, {}, "line 7", "stale", "line 7"),
        ([], False, {}, "", "serves", ""),
    ],
)
def test_judging(
    frontends: list[str], held: bool, required: dict[str, int], stale: str, finding: str, says: str
) -> None:
    processes, stat = parse_processes(SERVING), parse_stat(STAT)
    assert processes
    verdict = judge(processes, stat, frontends, held, required, stale)
    assert verdict.finding == finding
    assert verdict.reason.startswith(says) and bool(verdict.reason) == bool(says)


def test_nobody_serves() -> None:
    processes = parse_processes(SERVING)
    assert processes
    verdict = judge(processes, None, [], False, {})
    assert (verdict.code(False), verdict.code(True)) == (ExitCode.ERR_GENERIC, ExitCode.FAILED_PROMOTED)


def test_a_frontend_that_leaks_or_an_old_configuration_is_no_failure() -> None:
    for name in ("leaks", "held", "stale"):
        assert FINDINGS[name].code in (ExitCode.SUCCESS, ExitCode.DEGRADED)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "[NOTICE]   (63) : haproxy version is 2.6.12\n"
            "[ALERT]    (63) : config : parsing [/etc/haproxy/haproxy.cfg:7] : unknown proxy mode 'httpx'.\n"
            "[ALERT]    (63) : config : Fatal errors found in configuration.\n",
            "/etc/haproxy/haproxy.cfg:7: unknown proxy mode 'httpx'",
        ),
        (
            "[ALERT]    (81) : Binding [c.cfg:12] for frontend web: cannot bind socket (Address already in use) for "
            "[0.0.0.0:8080]\n",
            "0.0.0.0:8080 is in use by another program (c.cfg:12): stop that, or bind elsewhere",
        ),
        (
            "[ALERT]    (86) : Binding [c.cfg:12] for frontend web: protocol tcpv4: cannot bind socket (Cannot assign "
            "requested address) for [10.1.2.3:8080].\n",
            "10.1.2.3:8080 is not an address of this node (c.cfg:12): start its virtual address first, or bind transparent",
        ),
        (
            "[ALERT]    (76) : [haproxy.main()] Cannot raise FD limit to 200044, limit is 20000.\n",
            "needs 200044 file descriptors and may open 20000: raise LimitNOFILE of pacemaker, or lower maxconn",
        ),
        ("[ALERT]    (9) : config : no <listen> line. Nothing to do !\n", "no <listen> line. Nothing to do !"),
        ("[WARNING]  (9) : all is well\n[ALERT]    (9) : proxy 'b' has no server available!\n", ""),
        (
            "[ALERT]    (9) : config : an old one\n[NOTICE]   (1) : Reloading HAProxy\n"
            "[ALERT]    (8) : backend 'b' has no server available!\n[ALERT]    (9) : config : parsing [c:1] : a new one.\n",
            "c:1: a new one",
        ),
    ],
)
def test_complaints(said: str, reason: str) -> None:
    assert complaint(said) == reason and len(reason) <= 128


CONFIG = """
global
    maxconn 100   # a comment
    no strict-limits
defaults
    default-server inter 1s
frontend web
    bind :80
    bind :81
listen db
    bind :3306
    server s1 10.0.0.1:3306 check
backend pool
    default-server check
    server-template t 2-3 pool.example:80
    server-template u 2 pool.example:80
peers p
    bind :1024
    server me 10.0.0.9:1024
"""


def test_reading_a_configuration() -> None:
    found = Configuration(CONFIG)
    assert found.bound == ["web", "db"]
    assert set(found.servers) == {("db", "s1"), ("pool", "t2"), ("pool", "t3"), ("pool", "u1"), ("pool", "u2")}
    assert found.settings["maxconn"] == "100" and "no strict-limits" in found.settings


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        ("10.0.0.1:3306 check", "10.0.0.2:3306 check", {("db", "s1")}),
        ("10.0.0.1:3306 check", "10.0.0.1:3306 check ssl", {("db", "s1")}),
        ("bind :80", "bind :8080", set()),
        ("default-server check", "default-server check port 9", {("pool", n) for n in ("t2", "t3", "u1", "u2")}),
        ("inter 1s", "inter 1s port 9", {("db", "s1"), *(("pool", n) for n in ("t2", "t3", "u1", "u2"))}),
        ("server s1", "server s9", {("db", "s1")}),
    ],
)
def test_state_goes_only_with_the_same_server(old: str, new: str, lost: set[tuple[str, str]]) -> None:
    before, after = Configuration(CONFIG), Configuration(CONFIG.replace(old, new))
    assert unchanged(before, after) == set(before.servers) - lost


def line(
    backend: str, server: str, state: int = 2, admin: int = 0, weight: int = 1, configured: int = 1, check: int = 6
) -> str:
    return f"3 {backend} 1 {server} 127.0.0.1 {state} {admin} {weight} {configured} 12 6 3 4 {check} 0 0 0 - 9001 - 0 0 - - 0"


DUMP_HEAD = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state …\n"


def test_a_dump_keeps_the_same_servers_and_its_line_end() -> None:
    dump = f"{DUMP_HEAD}{line('b', 's1')}\n{line('b', 's2')}\n\n"
    configured = Configuration("backend b\n server s1 h:9001\n server s2 h:9001\n")
    assert (
        keep(dump, frozenset({("b", "s2")}), configured) == f"{DUMP_HEAD}{line('b', 's2').replace('127.0.0.1', '-')}\n"
    )
    assert keep("", frozenset(), configured) == "1\n"


@pytest.mark.parametrize(
    ("server", "address", "port"),
    [
        ("server s db:9002", "-", "9002"),
        ("server s 10.0.0.1", "-", "0"),
        ("server s [::1]:9002 check", "-", "9002"),
        ("server s fd00::1", "-", "0"),
        ("server s db:9002 resolvers dns", "127.0.0.1", "9001"),  # its resolvers know better than the configuration
        ('server s "127.0.0.1:${PORT}"', None, None),
        ("server s 127.0.0.1:9001 port ${PORT}", None, None),
        ("server s 127.0.0.1:+100", None, None),
    ],
)
def test_where_a_server_is_says_the_configuration_and_no_dump(
    server: str, address: str | None, port: str | None
) -> None:
    configured = Configuration(f"backend b\n {server}\n")
    kept = keep(f"{DUMP_HEAD}{line('b', 's', admin=8, weight=40)}\n", frozenset({("b", "s")}), configured).splitlines()[
        2:
    ]
    fields = kept[0].split() if kept else None
    assert (
        fields and (fields[4], fields[18], fields[6], fields[7]) == (address, port, "8", "40")
        if address
        else not fields
    )


@pytest.mark.parametrize(
    ("then", "now", "commands"),
    [
        (line("b", "s"), line("b", "s"), []),
        (line("b", "s", admin=8), line("b", "s"), ["set server b/s state drain"]),
        (line("b", "s", admin=8), line("b", "s", admin=8), []),
        (line("b", "s", state=0, admin=1), line("b", "s"), ["set server b/s state maint"]),
        (line("b", "s", weight=40), line("b", "s"), ["set server b/s weight 40"]),
        (line("b", "s", weight=40, configured=50), line("b", "s"), []),  # the admin has set a weight anew
        (line("b", "s", state=0), line("b", "s"), ["set server b/s health down"]),
        (line("b", "s", state=0, check=0), line("b", "s", check=0), []),  # without a check it would stay down
        (line("b", "s", state=0), line("b", "s", state=0), []),
        (line("b", "gone", admin=1), line("b", "s"), []),
    ],
)
def test_what_a_new_worker_is_told(then: str, now: str, commands: list[str]) -> None:
    same = frozenset({("b", "s"), ("b", "gone")})
    assert restore(DUMP_HEAD + then, DUMP_HEAD + now, same) == commands
    assert restore(DUMP_HEAD + then, DUMP_HEAD + now, frozenset()) == []
