"""Secrets are not told: in no spelling, by no statement that a server logs, in no error of a call that had them."""

from __future__ import annotations

import pytest

from backstay.agent.log import Log
from backstay.services.mysql.dialects.base import quoted
from backstay.services.mysql.dialects.mariadb import Mariadb
from backstay.services.mysql.dialects.mariadb_copy import _option
from backstay.services.rabbitmq.distribution import _reason
from backstay.services.rabbitmq.etf import Atom

SECRETS = ["plain", "it's", 'a "b"', "back\\slash", "both\\'s", "two  blanks", "%s $x {y}", "zwölf"]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("spell", [str, quoted, _option, lambda text: text.replace("'", "\\'")])
def test_no_spelling_of_a_secret_is_logged(secret: str, spell) -> None:  # type: ignore[no-untyped-def]
    log = Log("x", {})
    log.secrets = [secret]
    said = log.masked(f"before {spell(secret)} after")
    assert secret not in said and "***" in said and said.startswith("before ") and said.endswith(" after")


def test_a_secret_that_another_begins_with_leaves_no_rest() -> None:
    log = Log("x", {})
    log.secrets = ["secret", "secret-and-more"]
    assert log.masked("secret-and-more, secret") == "***, ***"


def test_mariadb_gets_hashes_and_people_get_statements_that_they_can_complete() -> None:
    dialect = Mariadb((10, 11, 6))
    hashed = "'*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'"  # SELECT PASSWORD('password')
    statements = dialect.account_statements(("m", "password"), ("r", "password"), False)
    assert statements[0] == f"CREATE USER IF NOT EXISTS 'm'@'%' IDENTIFIED BY PASSWORD {hashed}"
    assert dialect.password_statement("m", "password") == f"ALTER USER 'm'@'%' IDENTIFIED BY PASSWORD {hashed}"
    shown = dialect.account_statements(("m", "PASSWORD"), ("r", "PASSWORD"), False, shown=True)
    assert shown[0] == "CREATE USER IF NOT EXISTS 'm'@'%' IDENTIFIED BY 'PASSWORD'"


def test_an_exception_in_a_broker_is_told_without_its_arguments() -> None:
    call = (Atom("rabbit_auth_backend_internal"), Atom("add_user"), [b"user", b"password"], [])
    assert _reason((Atom("EXIT"), (Atom("undef"), [call]))) == "undef"
    assert _reason(Atom("nodedown")) == "nodedown"
