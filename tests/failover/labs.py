"""Labs that tests share: one at a time, as long as the tests that come next need the same and none has failed in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backstay_lab.machines.cluster import Lab
from backstay_lab.machines.drivers import driver
from backstay_lab.systems.catalogue import topology

KIND = driver(vagrant=os.environ.get("BACKSTAY_TEST_NODES") == "vagrant")
FIXTURES = ("three", "two", "sid", "plane", "lab", "mysql")  # by which tests ask for one


class Labs:
    """A lab that idles takes a fifth of a processor, and booting one twenty seconds."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lab: Lab | None = None
        self._what: tuple[str, int, str] | None = None
        self._count = 0

    def get(self, system: str, nodes: int = 3, image: str = "bookworm") -> Lab:
        """The lab with that topology, as the test before left it, whole, or a new one. Another one goes."""
        what = (system, nodes, image)
        if self._lab is None or self._what != what:
            self.close()
            self._count += 1
            kind = KIND if (system, image) == ("mysql", "bookworm") else Lab
            place = str(self._directory / f"{self._count}-{system}")
            self._lab, self._what = kind.up(place, nodes=nodes, image=image, topology=topology(system)), what
        return self._lab

    def spoil(self) -> None:
        """Nobody gets this one again."""
        self._what = None

    def close(self) -> None:
        lab, self._lab = self._lab, None
        if lab is not None:
            lab.down()


KEY = pytest.StashKey[Labs]()


def lab_of(item: pytest.Item) -> tuple[str, str]:
    """What tells the lab of one test from those of others: a file's own fixture is another than one that all share."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    asked = {*getattr(item, "fixturenames", ()), *(value for value in parameters.values() if isinstance(value, str))}
    name = next((name for name in FIXTURES if name in asked), "")
    own = not name or hasattr(getattr(item, "module", None), name)
    variant = str(parameters.get(name, ""))
    return (str(item.path) if own else "", f"{name} {variant}")
