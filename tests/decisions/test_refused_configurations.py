"""What daemons print about a configuration that they refuse becomes one sentence."""

from __future__ import annotations

import pytest

from backstay.admin import corosync_file, preflight
from backstay.cluster.configuration import Configuration as CibConfiguration
from backstay.cluster.model import Operation, Resource
from backstay.cluster.xml import parse
from backstay.ocf.errors import Misconfigured
from backstay.ocf.invocation import Invocation
from backstay.ocf.parameters import whole
from backstay.services.haproxy.health import complaint
from backstay.services.haproxy.parameters import HaproxyParameters
from backstay.services.haproxy.server_state import Configuration
from backstay.services.mysql.daemon import refusal

STAMP = "2026-11-29 10:13:10 0"


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        (f"{STAMP} [Note] x\n{STAMP} [ERROR] /usr/sbin/mariadbd: unknown variable 'a=1'\n{STAMP} [ERROR] Aborting\n",
         "unknown variable 'a=1'"),
        (f"{STAMP} [ERROR] mariadbd: Can't open shared library 'x.so'\n{STAMP} [ERROR] Couldn't load plugin from 'x'\n"
         f"{STAMP} [ERROR] /usr/sbin/mariadbd: unknown variable 'x_a=1'\n", "unknown variable 'x_a=1'"),
        (f"{STAMP} [ERROR] mariadbd: Can't open shared library 'x.so'\n", "Can't open shared library 'x.so'"),
        (f"{STAMP} [ERROR] Buffered error: Unknown suffix 'Q' used\n{STAMP} [ERROR] Buffered error: mariadbd: Error\n",
         "Unknown suffix 'Q' used"),
        ("error: Found option without preceding group in config file: /a at line: 1\n"
         "Fatal error in defaults handling. Program aborted\n",
         "Found option without preceding group in config file: /a at line: 1"),
        ("\a/usr/sbin/mariadbd: Character set 'utf99' is not a compiled character set\n",
         "Character set 'utf99' is not a compiled character set"),
        ("mysqld: [ERROR] Found option without preceding group in config file /a at line 1.\n",
         "Found option without preceding group in config file /a at line 1."),
        ("2026-11-29T10:13:10.1Z 0 [ERROR] [MY-000067] [Server] unknown variable 'a=1'.\n", "unknown variable 'a=1'."),
        ("", ""),
    ],
)  # fmt: skip
def test_of_a_server(printed: str, said: str) -> None:
    assert refusal(printed) == said


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("parsing [/c:1]: unknown keyword 'x' out of section.", "/c:1: unknown keyword 'x' out of section"),
        ("parsing [/c:8]: unmatched quote at position 33:", "/c:8: unmatched quote at position 33"),
        ("Parsing [/c:9]: proxy 'a' has the same name", "/c:9: proxy 'a' has the same name"),
        ("[/c:7] : Wrong server-template number", "/c:7: Wrong server-template number"),
        ("parsing [/c:14] : unknown keyword 'ca-file'", "/c:14: unknown keyword 'ca-file'"),
        ("Proxy 'f': unable to find required backend", "Proxy 'f': unable to find required backend"),
    ],
)
def test_of_haproxy_with_its_place(printed: str, said: str) -> None:
    assert (
        complaint(f"[NOTICE]   (1) : x\n[ALERT]    (1) : config : {printed}\n[ALERT]    (1) : config : more\n") == said
    )


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("Nov 29 10:10:23.359 error   [MAIN  ] Could not open /k: No such file or directory\nmore\n",
         "Could not open /k: No such file or directory"),
        ("Nov 29 10:10:23.359 error   [MAIN  ] parse error in config: No interfaces defined\n", "No interfaces defined"),
        ("parser error: /c:3: Line too long\n", "/c:3: Line too long"),
        ("parse error in config: unknown syslog facility specified.\n", "unknown syslog facility specified"),
        ("", "it says nothing"),
    ],
)  # fmt: skip
def test_of_corosync(printed: str, said: str) -> None:
    assert corosync_file.complaint(printed) == said


@pytest.mark.parametrize("count", ["1-2000000000", "1-" + "9" * 26, "9" * 5000, "²-٣", "²", "5-1", "1-", "-", "x"])
def test_a_template_of_servers_that_cannot_be_costs_the_agent_nothing(count: str) -> None:
    assert Configuration(f"backend b\n server-template web {count} 10.0.0.1:80\n").servers == {}


def test_servers_of_a_template_are_known_by_name() -> None:
    assert set(Configuration("backend b\n server-template w 2 a:1\n server-template v 3-4 a:1\n").servers) == {
        ("b", "w1"), ("b", "w2"), ("b", "v3"), ("b", "v4"),
    }  # fmt: skip


COROSYNC = """
totem {
    version: 2
    token:1000
    interface {
        knet_ping_timeout: 3000
    }
}
nozzle {
    name: noz01
}
nodelist {
    node {
        name: n1
        nodeid: 1
        ring0_addr: n1
    }
    node {
        nodeid: 2
        ring0_addr: n2
    }
#    node {
#        name: old
#    }
}
quorum {
    two_node: 1
}
"""


def test_a_name_in_corosyncs_file_is_a_nodes_where_it_stands_in_the_node_list() -> None:
    made, names = corosync_file.values(corosync_file.parse(COROSYNC), {})
    assert names == ["n1"]
    assert (made.nodes, made.token, made.two_node, made.ping_timeout) == (2, 1000, True, 3000)


@pytest.mark.parametrize("number", ["1" * 5000, "-1", "3s", "\u0661\u0660\u0660\u0660", "99999999999", "", "1000 # ms"])
def test_what_is_no_number_for_corosync_reads_as_its_default(number: str) -> None:
    text = COROSYNC.replace("token:1000", f"token: {number}")
    assert corosync_file.values(corosync_file.parse(text), {})[0].token == 3000


@pytest.mark.parametrize("text", ["\u00b2", "\u0661", "1" * 5000, "-1", "", "1.0", "many"])
def test_what_is_no_whole_number_is_none_and_ends_nothing(text: str) -> None:
    assert whole(text) is None
    configuration = parse(
        f'<cib><configuration><nodes><node id="1" uname="n1"><utilization id="u"><nvpair id="u1" name="ram" value="{text}"/>'
        "</utilization></node></nodes></configuration></cib>",
        "cibadmin",
    )
    assert CibConfiguration(configuration).room(configuration.find("configuration/nodes/node")) == {}
    with pytest.raises(Misconfigured):
        HaproxyParameters(Invocation("start", {"OCF_RESKEY_require_backends": f"pool:{text.strip()}"})).required()


def test_a_whole_number_is_one() -> None:
    assert (whole("0"), whole("007"), whole("4294967295")) == (0, 7, 4294967295)


@pytest.mark.parametrize("text", ["500ms", "PT1M", "1" * 5000, "\u00b2s", "soon"])
def test_an_expiry_that_cannot_be_read_is_no_finding(text: str) -> None:
    monitor = Operation("monitor", interval=10.0, timeout=0.1)
    resource = Resource(id="a", agent="ocf:backstay:vip", meta={"failure-timeout": text}, operations=(monitor,))
    assert list(preflight.expiry(resource)) == []


@pytest.mark.parametrize("meta", [{}, {"failure-timeout": "0"}, {"failure-timeout": "0s"}])
def test_a_resource_whose_failures_never_expire_is_named(meta: dict[str, str]) -> None:
    monitor = Operation("monitor", interval=10.0, timeout=20.0)
    resource = Resource(id="a", agent="ocf:backstay:rabbitmq", meta=meta, operations=(monitor,))
    [found] = preflight.expiry(resource)
    assert found.level == "warning" and found.remedy.endswith("failure-timeout --parameter-value 40s")
