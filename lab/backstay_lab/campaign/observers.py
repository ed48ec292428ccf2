"""What is looked at from outside, again and again, while a load runs: a thread, and files of JSON lines."""

from __future__ import annotations

import json
import os
import threading
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from backstay.ocf.errors import AgentError
from backstay_lab.checkers.history import Sample
from backstay_lab.checkers.sampling import Hole
from backstay_lab.clients.address_sampler import LATE
from backstay_lab.clients.workload import Program
from backstay_lab.machines.layout import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    from backstay_lab.machines.cluster import Lab


W = TypeVar("W", bound="Watch")


class Watch(ABC):
    """Looks every so many seconds while the block runs. What ends it early is raised at the end of the block."""

    def __init__(self, directory: str, every: float) -> None:
        """Its files go to the directory, which is made."""
        os.makedirs(directory, exist_ok=True)
        self._directory, self._every = directory, every
        self._stop, self._thread = threading.Event(), ThreadPoolExecutor(1)

    @abstractmethod
    def look(self) -> None:
        """See what is so now, and keep it."""

    def end(self) -> None:  # noqa: B027  most have nothing left to do
        """Called after the last look."""

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
        try:
            self.look()
            while not self._stop.wait(self._every):
                self.look()
        finally:
            self.end()


class AddressWatch(Watch):
    """Which nodes had the floating addresses when: address -> samples, once the block has ended; and when nobody looked.

    A program looks at each node (holdings), and another after each of its boots. It ends with the node; what ends it otherwise
    is raised, and so is that a node was never looked at.
    """

    def __init__(self, lab: Lab, addresses: Sequence[str], directory: str) -> None:
        super().__init__(directory, TEND)
        self._lab, self._addresses = lab, addresses
        self._programs: dict[str, list[Program]] = {node: [] for node in lab.nodes} if addresses else {}
        self.seen: dict[str, list[Sample]] = {address: [] for address in addresses}
        self.holes: list[Hole] = []

    def look(self) -> None:
        for node, programs in self._programs.items():
            if programs and programs[-1].status in FAILED:
                raise AgentError(f"nobody looks at the addresses of {node}: {programs[-1].complaint()}")
            if not programs or programs[-1].status is not None:
                with suppress(LabError):  # off: looked at again when it is back
                    argv = self._lab.observer(node, "backstay_lab.clients.address_sampler", [node, *self._addresses])
                    name = f"addresses-{node}" + (f"-{len(programs) + 1}" if programs else "")
                    programs.append(Program(name, argv, self._directory))

    def end(self) -> None:
        for programs in self._programs.values():
            if programs and programs[-1].status is None:
                programs[-1].finish()
        for node, programs in self._programs.items():
            records = [record for program in programs for record in records_of(program.fresh())]
            if not records:
                raise AgentError(f"nobody looked at the addresses of {node}")
            for address, sample in records:
                if address:
                    self.seen[address].append(sample)
                elif sample.ended - sample.begun > LATE:
                    self.holes.append(Hole(node, sample.begun, sample.ended))


TEND = 0.2  # seconds between two checks whether all nodes are looked at
FAILED = (1, 2)  # exit statuses of a program that could not look; all others are of one that ended with its node


def records_of(lines: Iterable[str]) -> list[tuple[str, Sample]]:
    """Address and sample of the lines of `holdings`; the address is "" of a first look. Raises ValueError."""
    records = [json.loads(line) for line in lines]
    return [(record.pop("address"), Sample(**record)) for record in records]
