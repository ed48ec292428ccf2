"""Applications beside the load of a rehearsal: what they noted of their operations, and where it is to be found."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay_lab.checkers import operations
from backstay_lab.checkers.history import Operation, parse_operations, parse_requests
from backstay_lab.clients import workload
from backstay_lab.machines import packages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from backstay_lab.checkers.operations import Operations
    from backstay_lab.machines.cluster import Lab

    Reader = Callable[[list[str]], list[Operation]]

# Seconds for OpenStack's libraries to be loaded and the first answer to come: about 3 at rest, more than 40 on a busy machine.
START_TIMEOUT = 120.0


class Application:
    """Its clients: `programs` are those that it has of its own, `histories` where each client's records are. Use as a context:
    leaving it early ends the programs."""

    def __init__(self, programs: Sequence[workload.Recorder], histories: Mapping[str, tuple[str, Reader]]) -> None:
        self.programs, self.histories = programs, histories

    def __enter__(self) -> Application:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            for program in self.programs:
                program.kill()

    def finish(self) -> None:
        """End the programs."""
        for program in self.programs:
            program.finish()

    def counts(self, faults: Sequence[float], end: float) -> list[dict[str, Operations]]:
        """Client -> its operations, for each fault until the next one; what has no end by the time `end` counts as failed."""
        found = {
            client: operations.by_fault(read(_lines(path)), faults, end)
            for client, (path, read) in self.histories.items()
        }
        return [{client: windows[place] for client, windows in found.items()} for place in range(len(faults))]


def none() -> Application:
    """Where no application is counted."""
    return Application([], {})


def of_database(lab: Lab, writer: str, directory: str) -> Application:
    """Ten threads on oslo.db, through the writer address. Returns once they work, and the costs of beginning are over."""
    client = workload.Recorder(lab, "dbclient", [writer], directory, packages.provide(lab))
    with Application([client], {"database": (client.path, parse_operations)}) as application:
        times: list[float] = []

        def steady() -> bool:
            times.extend(
                one.ended for one in parse_operations(client.lines()) if one.ended is not None and not one.error
            )
            return bool(times) and times[-1] - times[0] >= workload.STEADY

        poll(steady, Deadline(START_TIMEOUT), "the application's first operations", interval=0.2)
    return application


def of_all(lab: Lab, writer: str, oslo: Sequence[str], directory: str) -> Application:
    """The same, and calls and casts beside those of the load. oslo: the arguments of a program that uses oslo.messaging."""
    path, topic = packages.provide(lab), ["--topic", "application"]
    database = of_database(lab, writer, directory)
    with database:
        server = workload.Recorder(lab, "rpcserver", [*oslo, *topic], directory, path)
        options = [*topic, "--first", "1", "--unjudged"]
        client = workload.Recorder(lab, "rpcclient", [*oslo, *options], directory, path)
        both = Application(
            [*database.programs, client, server], {**database.histories, **of_messages(directory).histories}
        )
    with both:
        poll(lambda: client.lines() or None, Deadline(START_TIMEOUT), "the first call", interval=0.2)
    return both


def of_messages(directory: str) -> Application:
    """The calls and casts that a broker's load has anyway."""
    return Application([], {"messages": (os.path.join(directory, "rpcclient.jsonl"), read_requests)})


def read_requests(lines: list[str]) -> list[Operation]:
    return operations.of_requests(parse_requests(lines))


def _lines(path: str) -> list[str]:
    """The whole ones: the program may still be writing."""
    with open(path, encoding="utf-8") as source:
        return source.read().rpartition("\n")[0].splitlines()
