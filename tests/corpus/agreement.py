"""Whether an agent agrees with the daemon about a configuration, and what the daemon said when the tables were judged. Pure.

Never worse than the daemon alone: what the daemon accepts is refused for a reason of REASONS alone; what it refuses is named
in one sentence, with the exit code of a parameter that does not suit this node; nothing ends in a traceback.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from backstay.services.mysql.options import HAZARDS

VERDICTS = Path(__file__).parent / "verdicts"
# Beginning of the agent's sentence -> why it may refuse what the daemon's own check accepts.
REASONS = {
    "haproxy": {"maxconn ": "haproxy -c counts no descriptors: HAProxy itself would end while it starts"},
    "mysql": {
        **{f"{name}=": harm for names, _, harm, _ in HAZARDS for name in names},
        "replicate-": "a replica would apply only a part of what it acknowledged",
        "log-bin in ": "the log's name would be the host's",
        "log-bin=": "a start of before has left a history under another name, which the server keeps",
    },
    "rabbitmq": {
        "cluster_partition_handling = autoheal": "it throws confirmed messages away",
        "load_definitions is read at every boot": "it undoes what was changed since",
        "cluster_formation.": "who joins whom is the agent's to decide",
        "/etc/rabbitmq/rabbitmq-env.conf sets ": "a parameter of the resource says the same, and differs",
        "/etc/rabbitmq/advanced.config sets ": "it would win over what the agent's promises rest on",
    },
    "corosync": {},
    "cib": {},
}
# A file is one node's own: another may do, so the cluster is told "not here" and not "nowhere" (decision 53).
CODES = (2, 5, 6)
_NAMED = {
    "corosync": "corosync.conf is not accepted: ",
    "cib": "the configuration is not accepted by Pacemaker: ",
}


def disagreements(service: str, found: dict[str, Any]) -> list[str]:
    """What is wrong with the agents' words about one configuration; empty where they agree. found: as judge.py prints it."""
    wrong = [f"traceback: {part['wreck']}" for part in _parts(found) if part["wreck"]]
    if service in _NAMED:
        named = [one for one in found["doctor"]["findings"] if one.startswith(_NAMED[service])]
        if found["accepted"] and named:
            wrong.append(f"accepted, and doctor says: {named[0]}")
        elif not found["accepted"] and (len(named) != 1 or not _is_sentence(named[0].removeprefix(_NAMED[service]))):
            wrong.append(f"refused ({found['said']}), and doctor says: {found['doctor']['findings']}")
    elif service == "rabbitmq":
        named = [one for one in found["doctor"]["findings"] if " is not accepted: " in one]
        said = [one for one in found["doctor"]["findings"] if one not in named and not _excused(service, one)]
        wrong += [f"accepted, and refused without a known reason: {one}" for one in said if found["accepted"]]
        if found["ours"]:
            wrong.append(f"accepted, and refused with the agent's own settings: {found['ours']}")
        if not found["accepted"] and (len(named) != 1 or not _is_sentence(named[0])):
            wrong.append(f"refused ({found['said']}), and doctor says: {found['doctor']['findings']}")
    elif found["accepted"]:
        said = [*found["validate"]["reasons"], *found["doctor"]["findings"]]
        wrong += [f"accepted, and refused without a known reason: {one}" for one in said if not _excused(service, one)]
        if found["validate"]["code"] and not said:
            wrong.append(f"accepted, and validate-all ends with {found['validate']['code']}")
    else:
        for action in ("validate", "start"):
            if found[action]:
                wrong += [f"refused ({found['said']}), and {action}: {one}" for one in _refusal(found[action])]
        if not found["doctor"]["findings"]:
            wrong.append(f"refused ({found['said']}), and doctor finds nothing")
    return wrong


def _parts(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [found[name] for name in ("validate", "doctor", "start") if found.get(name)]


def _excused(service: str, said: str) -> bool:
    return said.startswith(tuple(REASONS[service]))


def _refusal(acted: dict[str, Any]) -> list[str]:
    wrong = [] if acted["code"] in CODES else [f"ends with {acted['code']}: {acted['reasons']}"]
    if len(acted["reasons"]) != 1 or not _is_sentence(acted["reasons"][0]):
        wrong.append(f"says {acted['reasons']}")
    return wrong


def _is_sentence(said: str) -> bool:
    """One line that can be read, and not only that some program failed."""
    vague = re.search(r"failed with status|internal error|Program aborted|: see /|is not accepted: *$", said)
    return len(said) > 3 and not re.search(r"[\0-\x1f\x7f]", said) and not vague


# -- what is recorded --------------------------------------------------------------------------------------------------


def spelled(found: dict[str, Any]) -> str:
    """One line of a file of verdicts."""
    if found["accepted"]:
        return f"accepted  {found['name']}"
    said = re.sub(r"\(\d+\) : |\b[A-Z][a-z]{2} \d\d [\d:.]+ |\d{4}-\d\d-\d\d +[\d:]+ \d+ ", "", found["said"])
    said = "".join(sign if sign.isprintable() else "?" for sign in said)
    return f"refused   {found['name']}  {said[:160].strip()}"


def recorded(service: str) -> dict[str, bool]:
    """Name -> whether the daemon accepted it."""
    lines = (VERDICTS / f"{service}.txt").read_text(encoding="utf-8").splitlines()
    return {line.split()[1]: line.startswith("accepted ") for line in lines if not line.startswith("#")}


def record(service: str, all_found: list[dict[str, Any]]) -> None:
    """Write a service's file of verdicts anew."""
    VERDICTS.mkdir(exist_ok=True)
    head = "# What the daemon said, by `make verdicts`: not to be edited by hand.\n"
    text = head + "".join(f"{spelled(found)}\n" for found in all_found)
    (VERDICTS / f"{service}.txt").write_text(text, encoding="utf-8")
