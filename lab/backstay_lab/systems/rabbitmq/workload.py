"""The RabbitMQ cluster of a lab, seen from outside: where the queues' leaders are, is it whole, what came out of it."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError, CommandFailed, TimedOut
from backstay_lab.checkers import messages
from backstay_lab.checkers.history import parse_attempts, parse_deliveries, parse_executions, parse_requests
from backstay_lab.clients import application, workload
from backstay_lab.machines import packages
from backstay_lab.machines.layout import CLIENT, LabError
from backstay_lab.nemesis.victim import Traits
from backstay_lab.systems.rabbitmq import deploy
from backstay_lab.systems.system import System

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backstay.cluster.model import Cluster
    from backstay_lab.checkers.history import Attempt
    from backstay_lab.machines.cluster import Lab
    from backstay_lab.nemesis.fault import Inflicted

VHOST = "app"
CONSUMED = ["ledger-0", "ledger-1"]  # consumed while the run lasts
KEPT = ["ledger-2", "ledger-3"]  # drained at its end: what a backlog must survive
QUEUES = CONSUMED + KEPT
# What rabbitmqctl says of a queue's copies: state, messages, leader, all copies beside or with it, those that are up to date.
MIRRORED_COPIES = ("state", "messages", "pid", "slave_pids", "synchronised_slave_pids")
QUORUM_COPIES = ("state", "messages", "leader", "members", "online")
CTL_TIMEOUT = 60.0  # seconds for an Erlang machine to start and ask; about one, on an idle machine
LEDGER = re.compile(r"ledger-\d")
QUEUES_TIMEOUT = 400.0  # seconds to drain some, or to declare a thousand on a busy machine
CONSUME_TIMEOUT = 30.0  # seconds; a consumer's heartbeats take 8, and connecting to another node 1


class BrokerLoad(workload.Load):
    """The third recorder's are the consumers."""

    def finish(self) -> list[list[str]]:
        """Once every consumed queue delivers: a consumer on a node without power notices that by its heartbeats."""
        since = time.monotonic()
        fresh: set[str] = set()

        def consumed() -> bool:
            fresh.update(one.queue for one in parse_deliveries(self.recorders[2].lines()) if one.at > since)
            return fresh >= set(CONSUMED)

        with suppress(TimedOut):  # a queue that no longer delivers is a finding, and the verdict's to tell
            poll(consumed, Deadline(CONSUME_TIMEOUT), "deliveries", interval=0.1)
        return super().finish()


class RabbitSet(System):
    """`urls` maps node to URL. The leader is the node with the leaders of the ledger's queues, or of most of them: quorum
    queues hold elections when they like. Where that is goes round from run to run, so it is sometimes the promoted node and
    sometimes another. `watched`: names of the queues that the leader and the copies are looked for of."""

    name, clone = "rabbitmq", "rabbitmq-clone"  # as in crm-templates/rabbitmq.crm
    traits = Traits(
        port=5672,
        peers=25672,
        configuration=deploy.CONFIG,
        nonsense="no.such.option = 1",
        data=deploy.DATA,
        slow=True,
    )
    return_timeout = 120.0  # seconds for a broker to start with its data; about 8

    def __init__(self, lab: Lab, watched: re.Pattern[str] = LEDGER) -> None:
        super().__init__(lab)
        self.watched = watched
        self.urls = dict(zip(lab.nodes, lab.endpoints["amqp"]))
        self._runs = int(time.time())  # so that short series begin at different nodes
        self._quorum: bool | None = None

    # -- asking -------------------------------------------------------------------------------------------------------

    def ctl(self, node: str, *arguments: str) -> str:
        """What rabbitmqctl on the node prints, without headings."""
        return self.lab.run(node, ["rabbitmqctl", "--silent", *arguments], timeout=CTL_TIMEOUT).out

    def listed(self, node: str, *columns: str) -> dict[str, list[str]]:
        """The watched queues, as the broker on the node has them: name -> text of the columns."""
        lines = [line.split("\t") for line in self.ctl(node, "list_queues", "-p", VHOST, "name", *columns).splitlines()]
        return {name: rest for name, *rest in lines if self.watched.fullmatch(name)}

    def queues(self, do: str, node: str, *names: str) -> str:
        """Run the program of that name on the client, against one node."""
        kind = ["--type", "quorum" if self.quorum else "classic"]
        argv = ["python3", "-m", "backstay_lab.clients.queues", do, self.urls[node], *names, *kind]
        return self.lab.run(CLIENT, argv, timeout=QUEUES_TIMEOUT).out

    @property
    def quorum(self) -> bool:
        """Whether this broker has quorum queues in place of mirrored ones, as from version 4."""
        if self._quorum is None:
            version = self.lab.run(self.lab.nodes[0], ["dpkg-query", "-W", "-f", "${Version}", "rabbitmq-server"]).out
            self._quorum = int(version.partition(".")[0]) >= 4
        return self._quorum

    def leader(self) -> str:
        for node in self.lab.nodes:
            try:
                queues = self.listed(node, "leader" if self.quorum else "pid")
            except (CommandFailed, TimedOut, LabError):
                continue  # down, or about to be
            places = Counter(place for [where] in queues.values() for place in _nodes_in(where))
            if places:
                return places.most_common(1)[0][0]
        raise AgentError("no broker answers, or no queue that matters has a leader")

    # -- whole --------------------------------------------------------------------------------------------------------

    def incomplete(self, seen: Cluster) -> str:
        """One cluster of all nodes without partitions, every node serves the application, every queue has all copies."""
        idle = [node for node in self.lab.nodes if not self.serves(node)]
        if idle:
            return f"the brokers on {', '.join(idle)} do not serve the application"
        asked = self.lab.nodes[0]
        try:
            status = json.loads(self.ctl(asked, "--formatter", "json", "cluster_status"))
            poor = self.short_of_copies(asked)
        except (CommandFailed, TimedOut) as failed:
            return f"the broker on {asked} does not answer: {failed}"
        missing = {f"rabbit@{each}" for each in self.lab.nodes} - set(status["running_nodes"])
        if missing or status.get("partitions"):
            return f"brokers not running: {sorted(missing)}; partitions: {status.get('partitions')}"
        return f"queues lack copies that are up to date: {'; '.join(poor)}" if poor else ""

    def short_of_copies(self, asked: str) -> list[str]:
        """The watched queues that lack one, as the broker on the node has them: a sentence each."""
        rows = self.listed(asked, *(QUORUM_COPIES if self.quorum else MIRRORED_COPIES))
        return [said for name, row in rows.items() if (said := copies_of(name, row, self.lab.nodes))]

    def serves(self, node: str) -> bool:
        """Whether the application's messages get through the broker on the node."""
        argv = ["python3", "-m", "backstay_lab.clients.queues", "check", self.urls[node], "whole"]
        return self.lab.run(CLIENT, argv, timeout=30, check=False).status == 0

    def cleanup(self, failed: str) -> None:
        """Once the broker is back by itself and nothing is under way: an operation that Pacemaker has just begun when it is
        told to forget never ends for it, and a minute and a half later counts as failed."""
        poll(
            lambda: self.returned(failed),
            Deadline(self.return_timeout),
            f"the broker on {failed} to return",
            interval=0.5,
        )
        settled = ["crm_resource", "--wait", "--timeout", f"{self.return_timeout:.0f}"]
        self.lab.run(failed, settled, timeout=self.return_timeout + 10)
        self.forget(failed)

    def returned(self, node: str) -> bool:
        """Whether the broker on the node is managed and serves."""
        return node in self.in_role("Promoted") + self.in_role("Unpromoted") and self.serves(node)

    # -- load and verdict ---------------------------------------------------------------------------------------------

    def load(self, directory: str) -> workload.Load:
        """Four publishers and two consumers on four queues, and remote procedure calls; all know all nodes."""
        place = self.lab.nodes[self._runs % len(self.lab.nodes)]
        self._runs += 1
        self.clear(place)
        self.queues("declare", place, *QUEUES)
        urls = list(self.urls.values())
        first = ["--first", str(time.time_ns() // 1_000_000)]  # grows faster than ids are used
        path = packages.provide(self.lab)
        rpc = self.oslo()
        record = workload.Recorder
        named = [[f"--queue={name}" for name in names] for names in (QUEUES, CONSUMED)]
        server = record(self.lab, "rpcserver", rpc, directory, path)
        client = record(self.lab, "rpcclient", [*rpc, *first], directory, path)
        with workload.Load([client, server]):
            poll(
                lambda: client.lines() or None,
                Deadline(application.START_TIMEOUT),
                "remote procedure calls to be answered",
                interval=0.2,
            )
        consumer = record(self.lab, "consumer", [*named[1], *urls], directory)
        publisher = record(self.lab, "publisher", [*named[0], *first, *urls], directory)
        return BrokerLoad([publisher, client, consumer, server])

    def application(self, directory: str) -> application.Application:
        return application.of_messages(directory)

    def clear(self, node: str) -> None:
        """Delete all queues: clients of earlier runs left theirs to expire in half an hour."""
        left = self.ctl(node, "list_queues", "-p", VHOST, "name").split()
        if left:
            self.queues("delete", node, *left)

    def oslo(self) -> list[str]:
        """The arguments of a program that uses oslo.messaging."""
        return [_transport(list(self.urls.values())), *(["--quorum"] if self.quorum else [])]

    def gap(self, attempts: Sequence[Attempt], fault: float) -> float:
        """Of the publisher that waited longest for a confirm."""
        return messages.confirm_gap(attempts, fault)

    def judge(self, histories: Sequence[Sequence[str]], fault: Inflicted) -> messages.Messages:
        # They are lost in its first moment, and nothing that is done later excuses.
        outages = [messages.Outage(fault.began, fault.began)] if fault.all_lost else []
        verdict = self.verdict(histories, fault.began, outages)
        if fault.unseen:
            gone = self.lab.nodes.index(fault.unseen) + 1
            disturbed = messages.disturbed(parse_attempts(histories[0]), fault.began, gone)
            verdict = verdict._replace(disturbed=disturbed)
        return verdict

    def verdict(
        self, histories: Sequence[Sequence[str]], began: float, outages: Sequence[messages.Outage] = ()
    ) -> messages.Messages:
        """After a full drain of all queues; all checks but that of those who should have noticed nothing. outages: when all
        brokers were lost, if they were."""
        drained = self.queues("drain", self.lab.nodes[0], *QUEUES).splitlines()
        published, requests, consumed, executed = histories
        verdict = messages.judge(parse_attempts(published), parse_deliveries([*consumed, *drained]), began)
        answers = messages.judge_requests(parse_requests(requests), parse_executions(executed), outages)
        return verdict._replace(requests=answers)


def copies_of(name: str, row: Sequence[str], nodes: Sequence[str]) -> str:
    """What copies a queue has where one of these nodes has none that is up to date, "" for a queue that has all. row: the
    text of MIRRORED_COPIES, or of QUORUM_COPIES."""
    state, messages, leader, copies, current = row
    led, having, good = (_nodes_in(text) for text in (leader, copies, current))
    if set(led + good) >= set(nodes):
        return ""
    behind = sorted({*having} - {*led, *good})
    none = sorted({*nodes} - {*led, *having})
    parts = [
        f"led by {', '.join(led) or 'nobody'}",
        f"up to date {', '.join(sorted(set(good) - set(led))) or 'nowhere else'}",
        *([f"behind {', '.join(behind)}"] if behind else []),
        *([f"none on {', '.join(none)}"] if none else []),
    ]
    return f"{name} ({', '.join(parts)}; {state or 'no state'}, {messages or 'unknown'} messages)"


def _nodes_in(text: str) -> list[str]:
    """n1 and n2 of "[rabbit@n1, rabbit@n2]" and of "[<rabbit@n1.1795560095.1171.0>, <rabbit@n2.…>]"."""
    return re.findall(r"@([\w-]+)", text)


def _transport(urls: list[str]) -> str:
    """oslo.messaging's URL for the same brokers: rabbit://USER:PASSWORD@HOST:PORT,…/VHOST."""
    hosts = [url.partition("://")[2].partition("/")[0] for url in urls]
    return f"rabbit://{','.join(hosts)}/{urls[0].rpartition('/')[2]}"
