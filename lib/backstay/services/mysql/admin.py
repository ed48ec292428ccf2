"""What the admin's commands say of a MySQL set: positions in the record, readers, lag. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay.cluster.attributes import HELD, LAG, NEVER, READABLE, SCORE, Attribute
from backstay.cluster.model import Finding
from backstay.ocf.parameters import whole
from backstay.services.advice import Advice, clients_held
from backstay.services.mysql.health import ALONE, HEALTHY, REBUILDING, REBUILT
from backstay.services.mysql.record import MalformedRecord, Record
from backstay.services.promoted_role import promotable, together

if TYPE_CHECKING:
    from backstay.cluster.model import Cluster, Failure, Instance


class Admin(Advice):
    """A set: its record, and of each instance what its agent publishes."""

    moving = "writes under way finish, then clients are disconnected and must connect again"

    def private(self) -> list[str]:
        return [LAG.of(self.resource.id), HELD.of(self.resource.id)]

    def note(self, cluster: Cluster, instance: Instance) -> str:
        readable = self._attribute(cluster, instance.node, READABLE)
        words = {"1": ["readable"], "0": ["not readable"]}.get(readable, [])
        lag = cluster.private.get(LAG.of(self.resource.id), {}).get(instance.node, "")
        if instance.role == "Unpromoted" and lag:
            words.append("no lag" if lag == "0" else f"{lag} s or more behind")
        record = self._facts(cluster)
        if record and instance.node in record.sync and not record.solo:
            words.append("acknowledges")
        state = self.complaint(cluster, instance.node)
        return ", ".join([*words, *([state] if state else [])])

    def summary(self, cluster: Cluster) -> str:
        record = self._facts(cluster)
        if record is None:
            return "never promoted"
        acknowledging = ", ".join(sorted(record.sync)) or "nobody"
        text = f"epoch {record.epoch}, primary {record.primary}, acknowledging: {acknowledging}"
        text += "; runs alone" if record.solo else ""
        text += f"; rests on allow_loss since epoch {record.loss}" if record.loss else ""
        return "; ".join(filter(None, [text, clients_held(cluster, self.resource.id)]))

    def findings(self, cluster: Cluster) -> list[Finding]:
        name = self.resource.id
        try:
            record = Record.parse(cluster.facts.get(name, ""))
        except MalformedRecord as error:
            remedy = "restore the property from a backup of the CIB; do not promote before"
            return [Finding("error", name, str(error), remedy)]
        found = list(self._instances(cluster, record))
        if record is None:
            return found
        strangers = record.sync - {node.name for node in cluster.nodes}
        if strangers:
            what = f"{', '.join(sorted(strangers))} acknowledges and is no node of the cluster: no promotion goes without it"
            found.append(
                Finding("error", name, what, "switch semi-synchronous replication off there, restart its receiver")
            )
        promoted = cluster.promoted(name)
        replicas = {one.node for one in cluster.active(name) if one.role == "Unpromoted"}
        if record.solo:
            what = f"{record.primary} runs alone: commits are on one disk only"
            found.append(Finding("error", name, what, "bring a replica back; it ends by itself when one caught up"))
        elif promoted and not record.sync & replicas:
            what = f"commits wait: none of {', '.join(sorted(record.sync))} runs as a replica"
            remedy = "look at those nodes; after degrade_after the primary goes on alone"
            found.append(Finding("error", name, what, remedy))
        elif promoted and replicas - record.sync:
            what = f"{', '.join(sorted(replicas - record.sync))} does not acknowledge yet"
            found.append(Finding("warning", name, what, "wait: the primary admits a replica that has caught up"))
        if promoted and record.primary not in promoted:
            what = f"{promoted[0]} is promoted, and the record names {record.primary}"
            found.append(Finding("error", name, what, "a promotion is under way; if it stays so, read pacemaker.log"))
        return found

    def configuration(self, cluster: Cluster) -> list[Finding]:
        found = list(promotable(cluster, self.resource))
        address = self.resource.parameters.get("writer_address", "")
        return found + (list(together(cluster, self.resource, address)) if address else [])

    def obstacles(self, cluster: Cluster, candidate: str) -> list[str]:
        score = self._attribute(cluster, candidate, SCORE) or "unset"
        state = self.complaint(cluster, candidate)
        found = []
        if state:
            found.append(f"{candidate}: {state}")
        elif score != str(HEALTHY):
            found.append(f"{candidate} has the promotion score {score}, a healthy replica has {HEALTHY}")
        record = self._facts(cluster)
        if record and record.solo:
            found.append(f"{record.primary} runs alone: no replica has all of its transactions")
        elif record and candidate not in record.sync:
            found.append(f"{candidate} does not acknowledge yet, so it may lack transactions")
        lag = cluster.private.get(LAG.of(self.resource.id), {}).get(candidate, "")
        if lag not in ("", "0"):
            found.append(f"{candidate} is {lag} s or more behind: writes would wait until it has caught up")
        return found

    def _instances(self, cluster: Cluster, record: Record | None) -> list[Finding]:
        found = []
        for one in cluster.active(self.resource.id):
            subject = f"{self.resource.id} on {one.node}"
            state = self.complaint(cluster, one.node)
            score = self._attribute(cluster, one.node, SCORE)
            forbidden = score in (NEVER, "")
            if state and not state.startswith(ALONE):
                remedy = next((do for start, do in _REMEDIES.items() if start in state), self.see)
                asked_for = state.startswith((REBUILDING, REBUILT))
                found.append(Finding("error" if forbidden and not asked_for else "warning", subject, state, remedy))
            elif forbidden and one.role in ("Unpromoted", "Promoted"):
                what = "may not be promoted" if score else "has no promotion score yet"
                found.append(Finding("warning", subject, what, "wait for the next monitor, then read pacemaker.log"))
            elif (whole(score) or HEALTHY) < HEALTHY and one.role == "Unpromoted":
                found.append(Finding("warning", subject, f"has the promotion score {score} of {HEALTHY}", "wait"))
        return found

    def expected(self, failure: Failure) -> str:
        return _REMEDIES[REBUILT] if failure.reason.startswith(REBUILT) else ""

    def _facts(self, cluster: Cluster) -> Record | None:
        try:
            return Record.parse(cluster.facts.get(self.resource.id, ""))
        except MalformedRecord:
            return None  # `findings` says so

    def _attribute(self, cluster: Cluster, node: str, attribute: Attribute) -> str:
        return cluster.attribute(node, attribute.of(self.resource.id))


# What a state begins with or contains -> what to do. The states are of health.py and rebuild.py.
_REMEDIES = {
    REBUILDING: "wait: rebuild=auto has the primary's data copied",
    REBUILT: "wait: it starts on the copy when failure-timeout is over",
    "errant": "it is kept read-only for a look; then set rebuild=auto, or restore a copy of the primary",
    "applier stopped": "mend the cause, then START SLAVE SQL_THREAD (START REPLICA SQL_THREAD on MySQL)",
    "receiver stopped": "the message names it: password, purged logs, histories that part",
    "ran alone": "wait: it is catching up, and can be promoted again then",
    "behind": "wait, or find out what the server does: long transactions, a slow disk",
    "replication is not running": "wait for the next monitor, which starts it; else read the server's error log",
}
