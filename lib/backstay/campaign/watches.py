"""What is looked at from outside, again and again, while a load runs: a thread, and a file of JSON lines."""

from __future__ import annotations

import json
import os
import threading
import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from backstay.rehearse.history import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from backstay.lab.cluster import Lab


W = TypeVar("W", bound="Watch")


class Watch(ABC):
    """Looks every so many seconds while the block runs. What ends it early is raised at the end of the block."""

    def __init__(self, directory: str, name: str, every: float) -> None:
        """The file, to which is added: `name` in the directory, which is made."""
        os.makedirs(directory, exist_ok=True)
        self._path, self._every = os.path.join(directory, f"{name}.jsonl"), every
        self._stop, self._thread = threading.Event(), ThreadPoolExecutor(1)

    @abstractmethod
    def look(self) -> list[dict[str, Any]]:
        """What is seen now, for json.dumps; kept too."""

    def __enter__(self: W) -> W:
        self._watching = self._thread.submit(self._watch)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.shutdown()
        self._watching.result()

    def _watch(self) -> None:
        with open(self._path, "a", encoding="utf-8") as sink:
            while True:
                sink.writelines(json.dumps(record) + "\n" for record in self.look())
                if self._stop.wait(self._every):
                    return


class AddressWatch(Watch):
    """Which nodes have the floating addresses, twenty times a second: address -> samples.

    The kernel's own table of each node's network is read, which a partition does not hide and a frozen node still has.
    """

    def __init__(self, lab: Lab, addresses: Sequence[str], directory: str) -> None:
        super().__init__(directory, "addresses", 0.05)
        self._lab = lab
        self.seen: dict[str, list[Sample]] = {address: [] for address in addresses}

    def look(self) -> list[dict[str, Any]]:
        begun = time.monotonic()
        tables = {node: routes(self._lab.layout.init_of(node)) for node in self._lab.nodes}
        ended = time.monotonic()
        found = []
        for address, samples in self.seen.items():
            held = [Sample(node, begun, ended, True) for node in tables if is_local(tables[node], address)]
            samples += held
            found += [{"address": address, **sample._asdict()} for sample in held]
        return found


def routes(init: int | None) -> str:
    """The kernel's table of routes (/proc/net/fib_trie) in the node with this init; a node that is off has none."""
    try:
        with open(f"/proc/{init}/net/fib_trie", encoding="ascii") as table:
            return table.read()
    except OSError:
        return ""


def is_local(table: str, address: str) -> bool:
    """Whether the table has the address as one of its host."""
    _, found, after = table.partition(f"|-- {address}\n")
    return bool(found) and "host LOCAL" in after.partition("\n")[0]
