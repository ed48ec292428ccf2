"""Bad input: parameters, records, server answers, XML, GTIDs, Erlang terms, frames. Whatever comes, a reader returns a value
or raises what it says it raises, and an agent answers with a code and a reason, never with a traceback.

Some dozens of inputs for each; `make fuzz` tries 10,000.
"""

from __future__ import annotations

import io
import os
import socket
import string
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from backstay.agent.dispatch import Agent, main
from backstay.cluster.overview import parse_overview
from backstay.cluster.xml import read
from backstay.host.arp_ndp import claimant, refusal
from backstay.host.deadline import Deadline
from backstay.host.ip_address import parse_address, parse_prefix
from backstay.ocf.codes import ExitCode
from backstay.ocf.errors import AgentError
from backstay.ocf.invocation import Invocation
from backstay.ocf.parameters import parameters_of
from backstay.services.haproxy.agent import Haproxy
from backstay.services.haproxy.health import parse_processes, parse_stat
from backstay.services.haproxy.server_state import Configuration, keep, restore, unchanged
from backstay.services.mysql import binlog
from backstay.services.mysql import record as mysql_record
from backstay.services.mysql.agent import Mysql
from backstay.services.mysql.dialects.mariadb import whole_groups
from backstay.services.mysql.gtid import History, MalformedGtid, MariadbHistory, MysqlHistory
from backstay.services.mysql.text_protocol import Wire
from backstay.services.rabbitmq import erlang_text, etf, mirror_policy
from backstay.services.rabbitmq import record as rabbitmq_record
from backstay.services.rabbitmq.agent import Rabbitmq
from backstay.services.rabbitmq.amqp import BrokerRefuses, BrokerSilent
from backstay.services.rabbitmq.distribution import Node, NodeSilent
from backstay.services.vip.agent import Vip

fuzzed = settings(
    max_examples=int(os.environ.get("BACKSTAY_FUZZ", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.large_base_example],
)
# What has broken readers: quotes, spaces, signs that shells, SQL and formats know, digits of other scripts, length.
NASTY = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="'\"`$%\\;\n\t\0 {}()<>&|=,:-/@#²٣é", max_size=40),
    st.text(alphabet=string.digits + "-.eE+_², smh", max_size=12),
    st.sampled_from(
        ["", "0", "-1", "true", "9" * 5000, "1" * 309, "a" * 100_000, "::1", "fe80::1%eth0", "/tmp/a b", "1e999"]
    ),
)


def only(raised: type[Exception] | tuple[type[Exception], ...], do: Callable[[], Any]) -> Any:
    """The value, None where it raised what it may raise; anything else fails the test."""
    try:
        return do()
    except raised as error:
        assert str(error)
        return None


# -- parameters -----------------------------------------------------------------------------------------------------------

AGENTS = [Mysql, Rabbitmq, Haproxy, Vip]


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.parameters_class().name)
@given(st.data())
@fuzzed
def test_parameters_give_a_code_and_a_reason_and_no_traceback(agent: type[Agent], data: st.DataObject) -> None:
    names = [parameter.name for parameter in parameters_of(agent.parameters_class())]
    given_ = data.draw(
        st.dictionaries(st.sampled_from(names), NASTY.map(lambda text: text.replace("\0", "")), max_size=4)
    )
    environ = {f"OCF_RESKEY_{name}": value for name, value in given_.items()}
    environ.update(OCF_RESOURCE_INSTANCE="fuzz", HA_LOGFILE=os.devnull, HA_DEBUGLOG=os.devnull)
    said = io.StringIO()
    with redirect_stderr(said), redirect_stdout(io.StringIO()):
        code = main(agent, ["agent", "validate-all"], environ)
    assert code in {ExitCode.SUCCESS, ExitCode.ERR_CONFIGURED, ExitCode.ERR_ARGS}, said.getvalue()
    reasons = [line for line in said.getvalue().splitlines() if line.startswith("ocf-exit-reason:")]
    assert len(reasons) == (code != ExitCode.SUCCESS)
    assert "internal error" not in said.getvalue()
    assert "Traceback" not in said.getvalue()
    for parameter in parameters_of(agent.parameters_class()):
        secret = given_.get(parameter.name, "")
        if parameter.secret and len(secret) > 5 and secret.strip() and code != ExitCode.SUCCESS:
            assert secret not in said.getvalue()


@given(st.sampled_from(["start", "stop", "monitor", "promote", "x"]), st.dictionaries(NASTY, NASTY, max_size=5), NASTY)
@fuzzed
def test_whatever_the_environment_is_an_invocation_is_made(action: str, environ: dict[str, str], number: str) -> None:
    meta = ("timeout", "interval", "on_node_uuid", "on_node", "role", "promoted_max")
    made = Invocation(action, {**environ, **{f"OCF_RESKEY_CRM_meta_{name}": number for name in meta}})
    assert made.timeout >= 0 and made.interval >= 0


@given(NASTY, NASTY)
@fuzzed
def test_addresses(text: str, prefix: str) -> None:
    address = only(ValueError, lambda: parse_address(text)) or parse_address("192.0.2.1")
    assert parse_address(address.text) == address or address.text == parse_address(address.text).text
    only(ValueError, lambda: parse_prefix(prefix, address))


# -- records and GTIDs ----------------------------------------------------------------------------------------------------

GTIDS = st.one_of(
    NASTY,
    st.text(alphabet="0123456789-,.", max_size=60),
    st.text(alphabet="0123456789abcdef-:,_ \n", max_size=120),
    st.lists(st.tuples(*[st.integers(0, 2**64)] * 3).map(lambda gtid: "-".join(map(str, gtid))), max_size=5).map(
        ",".join
    ),
)


@pytest.mark.parametrize("family", [MariadbHistory, MysqlHistory])
@given(GTIDS, GTIDS)
@fuzzed
def test_gtid_sets_are_read_or_malformed_and_survive_being_spelled(family: type[History], one: str, two: str) -> None:
    mine, theirs = (only(MalformedGtid, lambda text=text: family.parse(text)) for text in (one, two))
    for history in (mine, theirs):
        if history is not None:
            assert family.parse(str(history)) == history
    if mine is not None and theirs is not None:
        both = mine.union(theirs)
        assert both.includes(mine) and both.includes(theirs)
        assert both.minus(theirs).union(theirs) == both
        assert not mine.minus(mine)


WORDS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["epoch", "primary", "gtid", "sync", "solo", "loss", "members", "removed", "seed"]), NASTY
        ).map("=".join),
        NASTY,
    ),
    max_size=9,
).map(" ".join)


@given(WORDS)
@fuzzed
def test_records_in_the_cluster_are_read_or_malformed(text: str) -> None:
    record = only(mysql_record.MalformedRecord, lambda: mysql_record.Record.parse(text))
    if record is not None:
        assert mysql_record.Record.parse(str(record)) == record
    record = only(rabbitmq_record.MalformedRecord, lambda: rabbitmq_record.Record.parse(text))
    if record is not None:
        assert str(rabbitmq_record.Record.parse(str(record))) == str(record)
    notes = str(mirror_policy.Notes.parse(text))
    assert str(mirror_policy.Notes.parse(notes)) == notes


# -- XML ------------------------------------------------------------------------------------------------------------------

NAMES = ("summary", "current_dc", "nodes", "node", "resources", "resource", "clone", "failures", "failure", "status", "primitive",
         "configuration", "crm_config", "nvpair", "op", "operations", "meta_attributes", "cluster_options")  # fmt: skip
ATTRIBUTES = ("id", "name", "value", "online", "unclean", "role", "active", "managed", "failed", "exitcode", "op_key", "interval",
              "timeout", "with_quorum", "type", "class", "last-rc-change", "stonith-enabled",
              "fencing-enabled", "clone")  # fmt: skip
ESCAPE = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})
VALUES = NASTY.map(lambda text: "".join(c for c in text[:200] if c.isprintable()).translate(ESCAPE))


def element(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    attributes = st.dictionaries(st.sampled_from(ATTRIBUTES), VALUES, max_size=5).map(
        lambda found: "".join(f' {name}="{value}"' for name, value in found.items())
    )
    return st.tuples(st.sampled_from(NAMES), attributes, st.lists(children, max_size=4).map("".join)).map(
        lambda parts: f"<{parts[0]}{parts[1]}>{parts[2]}</{parts[0]}>"
    )


BOMB = '<!DOCTYPE b [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><crm_mon>&b;</crm_mon>'
THIEF = '<!DOCTYPE b [<!ENTITY a SYSTEM "file:///etc/passwd">]><crm_mon><nodes><node name="&a;"/></nodes></crm_mon>'
DOCUMENTS = st.one_of(
    NASTY,
    st.sampled_from([BOMB, THIEF, "<crm_mon/>", "<cib/>", "<crm_mon>" * 5000, '<crm_mon a="' + "x" * 200_000 + '"/>']),
    st.recursive(st.just(""), element, max_leaves=12).map(lambda inner: f"<crm_mon>{inner}</crm_mon>"),
)


@given(DOCUMENTS, st.sampled_from(["mysql", "a_b", ""]))
@fuzzed
def test_what_the_cluster_says_of_itself_is_read_or_an_agents_error(text: str, resource: str) -> None:
    seen = only(AgentError, lambda: parse_overview(text, resource))
    assert seen is None or not seen.online & seen.offline
    assert "root:" not in repr(seen)


@given(DOCUMENTS, DOCUMENTS)
@fuzzed
def test_the_admins_commands_read_any_xml_or_say_that_they_cannot(monitor: str, configuration: str) -> None:
    only(AgentError, lambda: read(monitor, configuration))


# -- answers of servers ---------------------------------------------------------------------------------------------------


def packet(body: bytes) -> bytes:
    return len(body).to_bytes(3, "little") + b"\1" + body


BODIES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"\x01", b"\xfe", b"\xfe\0\0\0\0", b"\0\0\0\2\0", b"\xff\x10\x04#HY000no", b"\xfb"]),
)
ANSWERS = st.one_of(st.binary(max_size=200), st.lists(BODIES.map(packet), max_size=6).map(b"".join))


@given(ANSWERS)
@fuzzed
def test_a_server_may_answer_anything(answer: bytes) -> None:
    here, there = socket.socketpair()
    there.sendall(answer)
    there.shutdown(socket.SHUT_WR)
    wire = Wire("the server", Deadline(5), here.detach())
    try:
        only(AgentError, lambda: wire.query("SELECT 1"))
    finally:
        wire.close()
        there.close()


@given(st.binary(max_size=300), st.binary(max_size=300))
@fuzzed
def test_a_broker_may_answer_anything(answer: bytes, more: bytes) -> None:
    from backstay.services.rabbitmq.amqp import Account, RoundTripFailed, _log_in, _mechanisms, _method, _trip

    here, there = socket.socketpair()
    framed = b"\x01\0\0" + len(more).to_bytes(4, "big") + more + b"\xce"
    with here, there:
        there.sendall(answer + framed)
        there.shutdown(socket.SHUT_WR)
        _mechanisms(answer)
        only((EOFError, OSError, BrokerRefuses, BrokerSilent), lambda: _method(here, Deadline(5)))
        only(
            (OSError, BrokerRefuses, BrokerSilent), lambda: _log_in(here, Deadline(5), Account("u", "p", "v"), b"PLAIN")
        )
    here, there = socket.socketpair()
    with here, there:
        there.sendall(framed + answer)
        there.shutdown(socket.SHUT_WR)
        only((EOFError, OSError, RoundTripFailed), lambda: _trip(here, Deadline(5), "q", b"body"))


TERMS = st.recursive(
    st.one_of(
        st.integers(-(2**70), 2**70),
        st.booleans(),
        st.binary(max_size=20),
        st.text(max_size=20).map(etf.Atom),
        st.floats(allow_nan=False),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=5).map(tuple),
        st.dictionaries(st.binary(max_size=5), inner, max_size=3),
    ),
    max_leaves=10,
)


@given(TERMS)
@fuzzed
def test_a_term_survives_its_encoding(term: Any) -> None:
    assume(len(repr(term)) < 5000)
    encoded = etf.VERSION + etf.encode(term)
    decoded, end = etf.decode(encoded)
    assert decoded == term and end == len(encoded)


@given(st.binary(max_size=300), TERMS, st.integers(0, 300), st.binary(min_size=1, max_size=3))
@fuzzed
def test_bytes_are_a_term_or_malformed(noise: bytes, term: Any, place: int, damage: bytes) -> None:
    whole = etf.VERSION + etf.encode(term)
    at = place % len(whole)
    for data in (etf.VERSION + noise, whole[:at], whole[:at] + damage + whole[at + len(damage) :]):
        only(etf.Malformed, lambda data=data: etf.decode(data))


@given(st.binary(max_size=200), TERMS)
@fuzzed
def test_a_node_may_answer_anything(noise: bytes, term: Any) -> None:
    node = Node.__new__(Node)
    node.node = "rabbit@n1"
    for message in (noise, b"p" + etf.VERSION + etf.encode((2, b"", b"")) + etf.VERSION + etf.encode(term)):
        only(AgentError, lambda message=message: node._read(message))


@given(TERMS, st.integers(0, 10**6))
@fuzzed
def test_a_nodes_answer_that_comes_in_two_parts_is_whole(term: Any, place: int) -> None:
    """The first part ends with the deadline of a call; the connection goes on."""
    here, there = socket.socketpair()
    node = Node.__new__(Node)
    node.node, node._link, node._buffer = "rabbit@n1", here, b""
    answer = etf.VERSION + etf.encode(term)
    stream = len(answer).to_bytes(4, "big") + answer + bytes(4)
    at = place % len(stream)
    with here, there:
        there.sendall(stream[:at])
        node.deadline = Deadline(0)
        if at < len(answer) + 4:
            with pytest.raises(NodeSilent):
                node._message()
        there.sendall(stream[at:])
        node.deadline = Deadline(5)
        assert (node._message(), node._message()) == (answer, b"")


@given(st.one_of(NASTY, st.text(alphabet="abcXYZ019[]{},.'\"%\\ \n-_@", max_size=80), st.just("[" * 3000)))
@fuzzed
def test_text_is_erlang_terms_or_malformed(text: str) -> None:
    only(etf.Malformed, lambda: erlang_text.parse(text))


EVENTS = st.lists(
    st.tuples(st.just("relay.1"), st.integers(0, 2**32), st.sampled_from(["Gtid", "Xid", "Query", "Rotate", ""]),
              st.one_of(NASTY, st.sampled_from(["BEGIN GTID 0-1-5", "GTID 0-1-6", "COMMIT", "GTID 0-x-6", "a-b-c"]))),
    max_size=8,
)  # fmt: skip


@given(EVENTS)
@fuzzed
def test_relay_log_events_are_grouped_or_an_agents_error(events: list[tuple[str, int, str, str]]) -> None:
    groups = only(AgentError, lambda: list(whole_groups(events)))
    assert groups is None or len(groups) <= len(events)


@given(st.binary(max_size=300), st.integers(0, 255), st.integers(0, 2**32 - 1))
@fuzzed
def test_a_binary_log_may_hold_anything(noise: bytes, kind: int, size: int) -> None:
    head = binlog.MAGIC + bytes(4) + bytes([15]) + bytes(4) + (19).to_bytes(4, "little") + bytes(4) + b"\1\0"
    event = bytes(4) + bytes([kind]) + bytes(4) + size.to_bytes(4, "little") + bytes(6)
    for log in (noise, head + noise, head + event + noise, head[: len(noise)]):
        binlog.own_tail(log, "me", MysqlHistory.parse(""))
        assert len(list(binlog.transactions(log))) <= len(log)


@given(NASTY, NASTY)
@fuzzed
def test_haproxy_may_say_anything(said: str, configuration: str) -> None:
    only(AgentError, lambda: parse_processes(said))
    only(AgentError, lambda: parse_stat(said))
    before, after = Configuration(configuration), Configuration(f"listen a\n  {said}\n  server b c\n")
    same = unchanged(before, after)
    assert keep(said, same, after).endswith("\n")
    only(AgentError, lambda: restore(said, said, same))


@given(st.binary(max_size=120), st.binary(min_size=6, max_size=6))
@fuzzed
def test_frames_from_the_wire(frame: bytes, mac: bytes) -> None:
    for text in ("192.0.2.1", "2001:db8::1"):
        claimant(frame, parse_address(text), mac)
    for mine in (frame, mac + frame):
        refusal(mine, mac)
