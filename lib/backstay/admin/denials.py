"""What AppArmor and SELinux kept the services from, as the kernel tells it. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

LATELY = 3600.0  # seconds: what was mended is told no longer than that
_DENIED = re.compile(
    r"audit\((?P<at>\d+)\.\d+:\d+\): "
    r'(?:apparmor="DENIED" operation="(?P<operation>[^"]*)"|avc: +denied +\{ (?P<rights>[^}]*) \} for)(?P<rest>.*)'
)
_FIELD = r'\b{}=(?:"([^"]*)"|(\S+))'


class Denial(NamedTuple):
    """by: AppArmor or SELinux. program: as the kernel calls it. what: an operation, or rights. path: "" where none is told."""

    by: str
    program: str
    what: str
    path: str


def lately(text: str, programs: Collection[str], now: float) -> list[Denial]:
    """Those of the last hour, each once, that these programs met. text: of the kernel's log or of auditd's. now: seconds since
    the epoch. What is only noted (permissive) is none."""
    found = (denial for at, denial in _read(text) if now - LATELY <= at <= now and denial.program in programs)
    return list(dict.fromkeys(found))


def _read(text: str) -> Iterator[tuple[float, Denial]]:
    for found in _DENIED.finditer(text):
        rest = found["rest"]
        if _field(rest, "permissive") != "1":
            path = _field(rest, "name") if found["operation"] else _field(rest, "path") or _field(rest, "name")
            by = "AppArmor" if found["operation"] else "SELinux"
            what = found["operation"] or found["rights"]
            yield float(found["at"]), Denial(by, _field(rest, "comm"), what, path)


def _field(text: str, name: str) -> str:
    found = re.search(_FIELD.format(name), text)
    return (found[1] or found[2] or "") if found else ""
