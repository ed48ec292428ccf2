"""Options of an admin that would hurt a set, told before they do."""

from __future__ import annotations

import pytest

from backstay.ocf.invocation import Invocation
from backstay.services.mysql.options import HAZARDS, Given, hazards, read_options, read_values
from backstay.services.mysql.parameters import MysqlParameters

FILE = "/etc/mysql/my.cnf"


def given(**parameters: str) -> Given:
    named = {f"OCF_RESKEY_{name}": value for name, value in parameters.items()}
    return Given(MysqlParameters(Invocation("validate-all", named)))


HURT = [
    ("skip-networking", "TRUE"),
    ("bind-address", "127.0.0.1"),
    ("bind-address", "::1,localhost"),
    ("bind-address", "192.0.2.11"),
    ("bind-address", "192.0.2.11,127.0.0.1"),
    ("require-secure-transport", "ON"),
    ("innodb-force-recovery", "1"),
    ("skip-grant-tables", "TRUE"),
    ("slave-skip-errors", "1062"),
    ("replica-skip-errors", "all"),
    ("slave-exec-mode", "IDEMPOTENT"),
    ("replica-exec-mode", "idempotent"),
    ("replicate-same-server-id", "ON"),
    ("innodb-flush-method", "nosync"),
    ("wsrep-on", "ON"),
    ("binlog-do-db", "shop"),
    ("binlog-ignore-db", "logs"),
    ("replicate-do-db", "shop"),
    ("replicate-ignore-table", "shop.log"),
    ("replicate-wild-do-table", "shop.%"),
    ("replicate-rewrite-db", "a->b"),
]
HARMLESS = [
    ("skip-networking", "FALSE"),
    ("bind-address", "*"),
    ("bind-address", "::"),
    ("bind-address", "(No default value)"),
    ("bind-address", "127.0.0.1,192.0.2.10"),
    ("require-secure-transport", "FALSE"),
    ("innodb-force-recovery", "0"),
    ("slave-skip-errors", "OFF"),
    ("replica-skip-errors", "(No default value)"),
    ("slave-exec-mode", "STRICT"),
    ("replicate-same-server-id", "FALSE"),
    ("innodb-flush-method", "O_DIRECT"),
    ("wsrep-on", "FALSE"),
    ("binlog-do-db", ""),
    ("replicate-do-db", ""),
    ("replicate-annotate-row-events", "TRUE"),
    ("replicate-events-marked-for-skip", "REPLICATE"),
    ("log-bin", "binlog"),
]


@pytest.mark.parametrize(("name", "value"), HURT)
def test_what_hurts_is_told_with_what_to_do(name: str, value: str) -> None:
    found = hazards({name: value}, given(writer_address="192.0.2.10"), FILE)
    assert list(found) == [name]
    what, _, remedy = found[name].rpartition(": ")
    assert what.startswith(f"{name}={value}: ") and FILE in remedy


@pytest.mark.parametrize(("name", "value"), HARMLESS)
def test_what_does_not_hurt_is_not_told(name: str, value: str) -> None:
    assert hazards({name: value}, given(writer_address="192.0.2.10"), FILE) == {}


def test_every_hazard_is_tried() -> None:
    assert {name for names, *_ in HAZARDS for name in names} <= {name for name, _ in HURT}


def test_what_the_parameters_say_decides() -> None:
    assert hazards({"require-secure-transport": "ON"}, given(tls_ca="/etc/ca.pem"), FILE) == {}
    assert hazards({"bind-address": "192.0.2.11"}, given(), FILE) == {}  # replicas follow the node's name


def test_an_option_with_two_names_is_told_once() -> None:
    both = {"slave-skip-errors": "1062", "replica-skip-errors": "1062"}
    assert list(hazards(both, given(), FILE)) == ["replica-skip-errors"]


def test_what_the_server_says_of_its_files_is_read() -> None:
    said = (
        "/usr/sbin/mariadbd would have been started with the following arguments:\n"
        "--skip-networking --binlog_ignore_db=a --log-error=/tmp/a b.log --loose-log-bin=foo --init-connect=SET a = 1 \n"
    )
    assert read_options(said) == {
        "skip-networking": "",
        "binlog-ignore-db": "a",
        "log-error": "/tmp/a b.log",
        "log-bin": "foo",
        "init-connect": "SET a = 1",
    }
    assert read_options("/usr/sbin/mysqld would have been started with the following arguments:\n\n") == {}


def test_the_table_of_its_variables_is_read() -> None:
    said = """Usage: mariadbd [OPTIONS]
  --bind-address=name IP address to bind to.

Variables (--variable-name=value)
and boolean options {FALSE|TRUE}                             Value (after reading options)
------------------------------------------------------------ -------------
bind-address                                                 127.0.0.1
log-error                                                    /tmp/a b.log
slave-type-conversions                                       {nothing}

To see what variables a running server is using, type
""".replace("{nothing}", "")
    expected = {"bind-address": "127.0.0.1", "log-error": "/tmp/a b.log", "slave-type-conversions": ""}
    assert read_values(said) == expected
