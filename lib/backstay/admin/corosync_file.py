"""What corosync.conf says, as Corosync reads it: sections in braces, `key: value`, a `#` at a line's begin. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from backstay.admin.preflight import Corosync

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN, _COEFFICIENT, _RETRANSMITS, _PONGS = 3000, 650, 4, 2  # corosync.conf(5), Corosync 3.1
_LARGEST = 0xFFFFFFFF


class Section:
    """values: key -> text, of a key that is there twice the last. sections: (name, its content), in their order."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.sections: list[tuple[str, Section]] = []

    def all(self, *path: str) -> list[Section]:
        """The sections at a path, such as ("nodelist", "node")."""
        found = [self]
        for step in path:
            found = [inner for one in found for name, inner in one.sections if name == step]
        return found

    def text(self, name: str, *path: str) -> str:
        return next((one.values[name] for one in reversed(self.all(*path)) if name in one.values), "")

    def number(self, name: str, default: int, *path: str) -> int:
        """default: also for what Corosync takes for no number."""
        text = self.text(name, *path)
        value = int(text) if re.fullmatch(r"[0-9]{1,10}", text) else -1
        return value if 0 <= value <= _LARGEST else default


def parse(text: str) -> Section:
    """What is no line of Corosync's is left out: it is Corosync itself that refuses it."""
    root = Section()
    open_ = [root]
    for line in text.split("\n"):
        line = line.strip()
        key, colon, value = line.partition(":")
        if line.startswith("#") or not line:
            continue
        if line.endswith("{"):
            inner = Section()
            open_[-1].sections.append((line[:-1].strip(), inner))
            open_.append(inner)
        elif line == "}" and len(open_) > 1:
            open_.pop()
        elif colon:
            open_[-1].values[key.strip()] = value.strip()
    return root


def values(conf: Section, running: Mapping[str, int]) -> tuple[Corosync, list[str]]:
    """Timing, and the names in the node list. running: what is in force, by its name below runtime.config.totem; it wins."""
    nodes = conf.all("nodelist", "node")
    coefficient = conf.number("token_coefficient", _COEFFICIENT, "totem")
    token = conf.number("token", _TOKEN, "totem") + coefficient * max(0, len(nodes) - 2)
    links = {key for node in nodes for key in node.values if re.fullmatch(r"ring[0-9]+_addr", key)}
    pongs = max(1, conf.number("knet_pong_count", _PONGS, "totem", "interface"))
    pings = conf.number("knet_ping_timeout", token // pongs, "totem", "interface")
    knet = conf.text("transport", "totem") not in ("udp", "udpu")
    retransmits = conf.number("token_retransmits_before_loss_const", _RETRANSMITS, "totem")
    made = Corosync(
        nodes=len(nodes),
        token=running.get("token", token),
        consensus=running.get("consensus", conf.number("consensus", token * 12 // 10, "totem")),
        coefficient=coefficient,
        two_node=bool(conf.number("two_node", 0, "quorum")),
        retransmits=running.get("token_retransmits_before_loss_const", retransmits),
        ping_timeout=running.get("interface.0.knet_ping_timeout", pings) if knet and links == {"ring0_addr"} else None,
    )
    return made, [node.values["name"] for node in nodes if node.values.get("name")]


def complaint(printed: str) -> str:
    """Why Corosync refuses its configuration, of what `corosync -t` printed: the first error, without date and place."""
    errors = [line for line in printed.splitlines() if re.search(r"\berror\b", line)]
    first = (errors or printed.splitlines() or ["it says nothing"])[0]
    told = re.sub(r"^(parser error: |.*? error +\[[^]]*\] +)", "", first)
    return told.removeprefix("parse error in config: ").strip().rstrip(".")
