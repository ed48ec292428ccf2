"""A connection by the protocol alone, with a real server: it logs in wherever the driver would need nothing else, answers as the
driver does, and leaves the rest to the driver."""

from __future__ import annotations

import pytest
from acting import Chamber
from mysql_box import run

ASK = r"""
cat > /tmp/ask.py <<'END'
from backstay.host.deadline import Deadline
from backstay.ocf.errors import AgentError
from backstay.services.mysql.connect import connect
from backstay.services.mysql.server import Server

PORT = 3306
LOCAL = {"socket": "/run/mysqld/mysqld.sock"}

def told(name, user, password, **where):
    try:
        with connect("it", Deadline(10), user, password, **where) as server:
            answer = server.one("SELECT CURRENT_USER() AS me, @@autocommit AS auto, CONNECTION_ID() AS id")
            print(f"{name}={type(server).__name__} {answer['me']} {answer['auto']} {type(answer['id']).__name__}")
    except AgentError as error:
        print(f"{name}={type(error).__name__}: {error}")

def do(*statements):
    with Server("it", Deadline(10), "root", "", **LOCAL) as server:
        for statement, *arguments in statements:
            server.query(statement, tuple(arguments) or None)

def same(name, sql, arguments=None):
    rows = []
    for made in (connect, Server):
        server = made("it", Deadline(30), "root", "", **LOCAL)
        try:
            rows.append(server.query(sql, arguments))
        except AgentError as error:
            rows.append((type(error).__name__, str(error), getattr(error, "number", 0)))
        rows.append(server.one("SELECT 1 AS one"))
        server.close()
    print(f"{name}={'same' if rows[:2] == rows[2:] else rows}")
END
"""

# Accounts, and what an answer may have in it.
TELL = r"""
cat >> /tmp/ask.py <<'END'
PASSWORD = "pa'ss\\w\u00f6rd"
do(("SET sql_log_bin = 0",), ("SET GLOBAL read_only = 0",), ("SET GLOBAL autocommit = 0",),
   ("SET GLOBAL max_allowed_packet = 67108864",), ("CREATE USER IF NOT EXISTS native IDENTIFIED BY %s", PASSWORD),
   ("CREATE USER IF NOT EXISTS blank IDENTIFIED BY ''",))
told("root", "root", "", **LOCAL)
told("native", "native", PASSWORD, host="127.0.0.1", port=PORT)
told("over", "native", PASSWORD, **LOCAL)
told("empty", "blank", "", host="127.0.0.1", port=PORT)
told("wrong", "native", "other", host="127.0.0.1", port=PORT)
told("closed", "native", "x", host="127.0.0.1", port=PORT + 1)
told("nowhere", "native", "x", host="no.such.host.invalid", port=PORT)
told("missing", "root", "", socket="/run/mysqld/none.sock")
END
"""
SAME = r"""
cat >> /tmp/ask.py <<'END'
same("kinds", "SELECT 1 AS a, -2 AS b, NULL AS c, '' AS d, 'x' AS e, @@version AS f, 18446744073709551615 AS g")
same("none", "SET @a = 1")
same("no_rows", "SELECT 1 AS a FROM DUAL WHERE FALSE")
same("status", "SHOW GLOBAL VARIABLES LIKE 'max_connections'")
same("error", "SELECT nothing")
same("denied", "KILL 999999999")
same("quoted", "SELECT %s AS a, %s AS b, '%%' AS c", ("it's \\ \u00e4 \" %s", 7))
same("long", "SELECT REPEAT('x', 300) AS a, REPEAT('y', 70000) AS b")
same("longest", "SELECT REPEAT('z', 17000000) AS a")
END
"""


NAMES = [line.partition('same("')[2].partition('"')[0] for line in SAME.splitlines() if line.startswith("same(")]


def test_it_logs_in_and_answers_as_the_driver_does(chamber: Chamber) -> None:
    result = run(
        chamber,
        ASK
        + TELL
        + SAME
        + r"""
        act start; python3 /tmp/ask.py
        mariadb -e "set global sql_mode='NO_BACKSLASH_ESCAPES'"
        sed -i /^do/,+2d /tmp/ask.py; python3 /tmp/ask.py | sed 's/^/plain_/'
        mariadb -e "install soname 'auth_ed25519'; set sql_log_bin=0;
            create user curve identified via ed25519 using password('c')"
        echo 'told("other", "curve", "c", host="127.0.0.1", port=PORT)' >> /tmp/ask.py
        python3 /tmp/ask.py | grep ^other; act stop
        """,
    )
    told = result.values
    assert told["root"] == "Wire root@localhost 1 int", result.text
    assert told["native"] == told["over"] == "Wire native@% 1 int", result.text
    assert told["empty"] == "Wire blank@% 1 int", result.text
    assert told["wrong"].startswith("ServerRefused: it refuses native: Access denied"), result.text
    assert (
        told["closed"] == "ServerDown: it is not reachable: start it, or have it listen there (port 3307, bind-address)"
    )
    assert told["nowhere"].startswith("ServerDown: it is not reachable"), result.text
    assert told["missing"] == "ServerDown: it is not reachable: No such file or directory", result.text
    assert [told[each + name] for each in ("", "plain_") for name in NAMES] == ["same"] * (2 * len(NAMES)), result.text
    # The driver knows that plug-in, or says what it lacks.
    assert told["other"].startswith(("Server curve@%", "ServerDown: it cannot be reached: 'pynacl'")), result.text


class TestOnMysql:
    """Oracle's, whose accounts have caching_sha2_password."""

    @pytest.fixture(scope="session")
    def bookworm(self) -> str:
        """In the place of the one image of other tests."""
        from backstay_lab.machines import image

        return image.ensure("sid", print)

    @pytest.mark.slow
    def test_it_logs_in_over_the_socket(self, chamber: Chamber) -> None:
        result = run(
            chamber,
            ASK
            + TELL
            + SAME
            + r"""
            echo '[mysqld]' > /etc/mysql/set.cnf; act start
            echo 'told("known", "native", PASSWORD, host="127.0.0.1", port=PORT)' >> /tmp/ask.py
            python3 /tmp/ask.py; act stop
            """,
        )
        told = result.values
        assert told["root"] == "Wire root@localhost 1 int", result.text
        # Where the server has not seen the password yet it wants it encrypted: the driver's.
        assert told["native"].startswith(("Server native@%", "ServerDown: it cannot be reached: 'cryptography'")), told
        assert told["over"] == told["known"] == "Wire native@% 1 int", result.text
        assert told["empty"] == "Wire blank@% 1 int", result.text
        assert [told[name] for name in NAMES] == ["same"] * len(NAMES), result.text
