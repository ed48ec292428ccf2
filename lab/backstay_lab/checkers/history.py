"""What the client saw, as values. All times are seconds on CLOCK_MONOTONIC, which every node of a lab shares with this
host: they can be compared with each other and with the moment of a fault."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

OK = "ok"  # the server acknowledged the commit: the row must never be lost
FAIL = "fail"  # nothing was sent, or the server reported an error: the row must never be seen
WRONG = "wrong"  # an answer came that belongs to another attempt
UNKNOWN = "unknown"  # the connection broke after the statement was sent: the row may or may not be there


class Attempt(NamedTuple):
    """One insert of one unique id. `server` is the @@server_id that was asked, None when none was reached."""

    writer: int
    id: int
    begun: float
    ended: float
    result: str
    server: int | None = None
    error: str = ""


class Sample(NamedTuple):
    """Between `begun` and `ended` the server on `node` was found writable, or not, or gave no answer (None). blind: for how many
    seconds on end, of these, the sampler itself did not run, 0 where that is nothing to speak of."""

    node: str
    begun: float
    ended: float
    writable: bool | None
    blind: float = 0.0


class Delivery(NamedTuple):
    """One message as a consumer got it. `session` is the connection it came by, `drain` for what was got at the end;
    `server` as in Attempt; `redelivered` is the broker's own word."""

    queue: str
    id: int
    at: float
    redelivered: bool
    session: str
    server: int | None = None


class Request(NamedTuple):
    """One remote procedure call or cast. `ended` is None while there is no answer. result: ok (the right answer, or the
    cast was accepted), fail (an error was reported), or wrong (somebody else's answer)."""

    id: int
    kind: str
    begun: float
    ended: float | None = None
    result: str = ""
    error: str = ""


class Operation(NamedTuple):
    """One operation of an application. `ended` is None while it has not returned. error: the kind of exception that reached the
    application (operations.kind), "" when there was none."""

    id: int
    begun: float
    ended: float | None = None
    error: str = ""


class Execution(NamedTuple):
    """A server of remote procedure calls did what request `id` asked for."""

    id: int
    at: float
    server: str


class Boot(NamedTuple):
    """One boot of an instance, as its caller saw it. accepted: when the row was stored and the scheduler had been told.
    ended: when the caller was told that it failed, or read its final state. state: failed, or the final state, "" while
    it is open."""

    id: int
    caller: int
    begun: float
    accepted: float | None = None
    ended: float | None = None
    state: str = ""
    error: str = ""


class Final(NamedTuple):
    """A worker gave an instance its final state, and the database acknowledged that."""

    id: int
    at: float
    state: str
    worker: str


class Instance(NamedTuple):
    """A row of the database. finals: the states in the log of its final states, which is written in the same transactions."""

    id: int
    state: str
    finals: tuple[str, ...] = ()


def parse_attempts(lines: Iterable[str]) -> list[Attempt]:
    """Attempts from the ledger's JSON lines, in the order in which they ended."""
    return sorted((Attempt(**record) for record in _records(lines)), key=lambda attempt: attempt.ended)


def parse_samples(lines: Iterable[str]) -> list[Sample]:
    """Samples from the sampler's JSON lines, in the order in which they began."""
    return sorted((Sample(**record) for record in _records(lines)), key=lambda sample: sample.begun)


def parse_deliveries(lines: Iterable[str]) -> list[Delivery]:
    """Deliveries from consumers' JSON lines, in the order in which they came."""
    return sorted((Delivery(**record) for record in _records(lines)), key=lambda delivery: delivery.at)


def parse_requests(lines: Iterable[str]) -> list[Request]:
    """Requests from a client's JSON lines, of which each request has one when it begins and one when it has ended."""
    found: dict[int, Request] = {}
    for record in _records(lines):
        request = Request(**record)
        found[request.id] = request
    return sorted(found.values(), key=lambda request: request.begun)


def parse_operations(lines: Iterable[str]) -> list[Operation]:
    """Operations from a client's JSON lines, of which each has one when it begins and one when it has ended."""
    found = {record["id"]: Operation(**record) for record in _records(lines)}
    return sorted(found.values(), key=lambda operation: operation.begun)


def parse_executions(lines: Iterable[str]) -> list[Execution]:
    """Executions from a server's JSON lines."""
    return sorted((Execution(**record) for record in _records(lines)), key=lambda execution: execution.at)


def parse_boots(lines: Iterable[str]) -> list[Boot]:
    """Boots from the api's JSON lines, of which each boot has one when it begins, is accepted, and ends."""
    found = {record["id"]: Boot(**record) for record in _records(lines)}
    return sorted(found.values(), key=lambda boot: boot.begun)


def parse_finals(lines: Iterable[str]) -> list[Final]:
    """Final states from the workers' JSON lines."""
    return sorted((Final(**record) for record in _records(lines)), key=lambda final: final.at)


def _records(lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    """Anything but a whole JSON object is a defect of the workload, not of the cluster, and raises ValueError."""
    for line in lines:
        if line.strip():
            yield json.loads(line)
