"""Which connections a planned demotion ends, and when."""

from __future__ import annotations

import pytest

from backstay.services.mysql.sessions import QUIET, may_end, ports_at_rest, sessions

SLEEPING = {"host": "10.0.0.9:50001", "command": "Sleep", "transaction": 0}


def test_a_session_idle_outside_a_transaction_is_at_rest() -> None:
    assert ports_at_rest(sessions([SLEEPING])) == {50001}


@pytest.mark.parametrize("change", [{"transaction": 1}, {"command": "Query"}, {"command": "Connect"}])
def test_a_transaction_a_statement_and_a_login_are_under_way(change: dict[str, object]) -> None:
    assert ports_at_rest(sessions([{**SLEEPING, **change}])) == set()


def test_of_two_clients_with_one_port_the_busy_one_counts() -> None:
    other = {**SLEEPING, "host": "client.example:50001", "command": "Query"}
    assert ports_at_rest(sessions([SLEEPING, other])) == set()


def test_a_replica_is_known_by_its_command_and_a_local_session_has_no_port() -> None:
    dump = {**SLEEPING, "host": "fd00::1:50002", "command": "Binlog Dump"}
    (found,) = sessions([dump, {**SLEEPING, "host": "localhost"}])
    assert (found.port, found.replicates, found.idle) == (50002, True, False)


def test_what_arrived_after_the_server_was_asked_spares_a_connection() -> None:
    assert may_end(True, False, quiet=1.0, asked=0.5, waited=0)
    assert not may_end(True, False, quiet=0.4, asked=0.5, waited=0)
    assert not may_end(True, True, quiet=1.0, asked=0.5, waited=0)
    assert not may_end(False, False, quiet=1.0, asked=0.5, waited=0)


def test_a_client_that_never_rests_long_ends_later() -> None:
    assert not may_end(True, False, quiet=0.03, asked=0.001, waited=0)
    assert may_end(True, False, quiet=0.03, asked=0.001, waited=1)
    assert [seconds for _, seconds in QUIET] == sorted((seconds for _, seconds in QUIET), reverse=True)
