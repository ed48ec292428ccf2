"""Configurations that people have, as readable tables: haproxy.txt and the others of this directory.

    == NAME [flags] <- SOURCE      a configuration: its main file follows
    -- PATH                        another file beside the main one
    @@NAME … @@                    a text that a line `@NAME` stands for
    @dir                           in a line: the directory in which the files are
    @long                          in a line: five thousand digits

SOURCE is where its shape is from: owner/repository#number, owner/repository:path of GitHub, or an address. Flags:

bom, crlf, latin1, no-newline   how the files are written; `escaped`: \\xNN stands for that byte
directory                       HAProxy: the files are read as a directory
plugins=a,b                     RabbitMQ: the plugins that are enabled, "" for none; without it those of PLUGINS
no-key                          Corosync: there is no authkey
schema=NAME, raw                CIB: validate-with; the XML as it stands
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

HERE = Path(__file__).parent
SERVICES = ("haproxy", "mysql", "rabbitmq", "corosync", "cib")
MAIN = {
    "haproxy": "haproxy.cfg",
    "mysql": "set.cnf",
    "rabbitmq": "rabbitmq.conf",
    "corosync": "corosync.conf",
    "cib": "cib.xml",
}
# Where the files are when they are judged.
PLACE = {
    "haproxy": "/etc/haproxy",
    "mysql": "/etc/mysql/corpus",
    "rabbitmq": "/etc/rabbitmq",
    "corosync": "/etc/corosync",
    "cib": "/tmp/cib",
}
PLUGINS = "rabbitmq_management,rabbitmq_prometheus"
_HEAD = re.compile(r"== (?P<name>\S+)(?: \[(?P<flags>[^]]*)\])? <- (?P<source>\S+)$")
_SECTIONS = ("crm_config", "nodes", "resources", "constraints", "tags", "fencing-topology", "acls", "alerts",
             "rsc_defaults", "op_defaults")  # fmt: skip
_ORDER = ("crm_config", "nodes", "resources", "constraints", "fencing-topology", "rsc_defaults", "op_defaults", "acls",
          "tags", "alerts")  # fmt: skip


class Entry(NamedTuple):
    """files: name below the service's directory -> its bytes, the main one first."""

    service: str
    name: str
    source: str
    flags: dict[str, str]
    files: dict[str, bytes]


def read(service: str) -> list[Entry]:
    """All configurations of a service's table."""
    macros: dict[str, str] = {}
    found: list[tuple[re.Match[str], list[str]]] = []
    lines = (HERE / f"{service}.txt").read_text(encoding="utf-8").split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("@@"):
            end = lines.index("@@", at + 1)
            macros[line[2:]] = "\n".join(lines[at + 1 : end])
            at = end
        elif line.startswith("== "):
            head = _HEAD.match(line)
            assert head, f"{service}.txt, line {at + 1}: {line}"
            found.append((head, []))
        elif found:
            found[-1][1].append(line)
        at += 1
    return [_entry(service, head, body, macros) for head, body in found]


def everything() -> list[Entry]:
    return [entry for service in SERVICES for entry in read(service)]


def _entry(service: str, head: re.Match[str], body: list[str], macros: dict[str, str]) -> Entry:
    flags = dict(pair.partition("=")[::2] for pair in (head["flags"] or "").split())
    texts: dict[str, list[str]] = {} if "directory" in flags else {MAIN[service]: []}
    name = MAIN[service]
    while body and not body[-1]:
        body.pop()
    for line in body:
        if line.startswith("-- "):
            name = line[3:]
            texts[name] = []
        elif line.startswith("@") and line[1:] in macros:
            texts[name].append(macros[line[1:]])
        else:
            texts[name].append(line)
    files = {name: _bytes(service, "\n".join(lines), flags) for name, lines in texts.items()}
    return Entry(service, head["name"], head["source"], flags, files)


def _bytes(service: str, text: str, flags: dict[str, str]) -> bytes:
    if service == "cib" and "raw" not in flags:
        text = cib(text, flags.get("schema", "pacemaker-3.9"))
    text = text.replace("@long", "1" * 5000).replace("@dir", PLACE[service])
    text += "\n" if text and "no-newline" not in flags else ""
    text = text.replace("\n", "\r\n") if "crlf" in flags else text
    data = text.encode("latin-1" if "latin1" in flags else "utf-8")
    if "escaped" in flags:
        data = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), data)
    return b"\xef\xbb\xbf" * ("bom" in flags) + data


def cib(text: str, schema: str) -> str:
    """The XML of a table's CIB: of two nodes, unless the table has its own."""
    sections: dict[str, list[str]] = {name: [] for name in _SECTIONS}
    sections["nodes"] += ['<node id="1" uname="n1"/>', '<node id="2" uname="n2"/>']
    status: list[str] = []
    place = sections["resources"]
    for line in text.split("\n"):
        words = line.split(" ")
        if line.startswith("["):
            place = status if line == "[status]" else sections[line[1:-1]]
        elif words[0] == "property":
            pairs = _pairs("options", shlex.split(line)[1:])
            sections["crm_config"].append(f'<cluster_property_set id="options">{pairs}</cluster_property_set>')
        elif words[0] == "primitive":
            place.append(_primitive(line))
        else:
            place.append(line)
    kept = ("crm_config", "nodes", "resources", "constraints")
    inner = "".join(f"<{name}>{''.join(sections[name])}</{name}>" for name in _ORDER if name in kept or sections[name])
    return (
        f'<cib validate-with="{schema}" crm_feature_set="3.16.1" epoch="1" num_updates="0" admin_epoch="0" '
        f'cib-last-written="Mon Jul  3 14:47:48 2023" have-quorum="1" dc-uuid="1">'
        f"<configuration>{inner}</configuration><status>{''.join(status)}</status></cib>"
    )


def _primitive(line: str) -> str:
    """`primitive ID AGENT NAME=VALUE … | meta NAME=VALUE … | op NAME NAME=VALUE …`"""
    first, *rest = line.split(" | ")
    _, name, agent, *parameters = shlex.split(first)
    parts = agent.split(":")
    provider = f' provider="{parts[1]}"' if len(parts) == 3 else ""
    inner = ""
    if parameters:
        inner += f'<instance_attributes id="{name}-i">{_pairs(f"{name}-i", parameters)}</instance_attributes>'
    ops = ""
    for number, piece in enumerate(rest):
        kind, *words = shlex.split(piece)
        if kind == "meta":
            inner += f'<meta_attributes id="{name}-m">{_pairs(f"{name}-m", words)}</meta_attributes>'
        else:
            given = "".join(
                f" {key}={quoteattr(value)}" for key, _, value in (word.partition("=") for word in words[1:])
            )
            ops += f'<op id="{name}-op-{number}" name="{words[0]}"{given}/>'
    inner += f"<operations>{ops}</operations>" if ops else ""
    return f'<primitive id="{name}" class="{parts[0]}"{provider} type="{parts[-1]}">{inner}</primitive>'


def _pairs(prefix: str, words: list[str]) -> str:
    pairs = (word.partition("=") for word in words)
    return "".join(f'<nvpair id="{prefix}-{name}" name="{name}" value={quoteattr(value)}/>' for name, _, value in pairs)
