"""Whether a directory lies where the admin means it to lie."""

from __future__ import annotations

import os
import re

_TABLE = "/etc/fstab"
_MOUNTED = "/proc/self/mountinfo"
_FLEETING = ("tmpfs", "ramfs")


def misplaced(path: str) -> str:
    """What is wrong with where the directory lies, in a sentence with its remedy; "" for nothing. A file system that is not
    mounted shows an empty directory, or data of before it was."""
    path = os.path.realpath(path)
    point = missing(path, _text(_TABLE), _text(_MOUNTED))
    if point:
        return f"{path} is on {point}, which is to be mounted by {_TABLE} and is not: mount {point}"
    if kind(path, _text(_MOUNTED)) in _FLEETING:
        return f"{path} is in memory, and lost with the node's power: mount a disk there"
    return ""


def is_point(path: str) -> bool:
    """Whether something is mounted there, so that it cannot be renamed. os.path.ismount does not see a directory that is mounted
    from another place of the same file system."""
    return os.path.realpath(path) in {point for point, _ in _mounts(_text(_MOUNTED))}


def missing(path: str, table: str, mounted: str) -> str:
    """The mount point at or above the path that the table names and where nothing is mounted, "" for none. One that is mounted by
    hand alone (noauto) or where it may be missing (nofail) counts like any other: data is to be there."""
    there = {point for point, _ in _mounts(mounted)}
    for line in table.splitlines():
        fields = line.split()
        if len(fields) >= 3 and not fields[0].startswith("#") and fields[2] != "swap":
            point = os.path.normpath(_unescaped(fields[1]))
            if point != "/" and _holds(point, path) and point not in there:
                return point
    return ""


def kind(path: str, mounted: str) -> str:
    """Of the file system that has the path."""
    found: tuple[str, str] | None = None
    for point, name in _mounts(mounted):
        if _holds(point, path) and (found is None or len(point) >= len(found[0])):
            found = point, name
    return found[1] if found else ""


def _mounts(text: str) -> list[tuple[str, str]]:
    """Point and kind of each, as proc(5) has them: … POINT OPTIONS [FIELDS] - KIND SOURCE OPTIONS."""
    found = []
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields, kinds = left.split(), right.split()
        if len(fields) > 4 and kinds:
            found.append((_unescaped(fields[4]), kinds[0]))
    return found


def _holds(point: str, path: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")


def _unescaped(text: str) -> str:
    """Spaces and the like are octal there."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8) & 0xFF), text)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as source:
            return source.read()
    except OSError:
        return ""
