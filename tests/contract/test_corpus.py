"""Configurations as people have them, and mutants of them: the agents agree with the real daemons (tests/corpus).

Here some of each table and a few mutants; `make fuzz` takes all (BACKSTAY_CORPUS=all) and more mutants, `make verdicts` writes
down anew what the daemons say (BACKSTAY_CORPUS=record).
"""

from __future__ import annotations

import base64
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Chamber  # type: ignore[import-not-found]
from tests.corpus import agreement, mutate, table  # type: ignore[import-not-found]

WANTED = os.environ.get("BACKSTAY_CORPUS", "")
SEED = int(os.environ.get("BACKSTAY_FUZZ_SEED", "1"))
MUTANTS = int(os.environ.get("BACKSTAY_FUZZ_CONFIGURATIONS", "6"))  # of each service
STEP = {"haproxy": 6, "mysql": 9, "rabbitmq": 10, "corosync": 4, "cib": 8}  # here every so manyth is taken
PREPARE = """
unset CIB_file
ip link set lo up; hostname n1
for address in 10.77.0.11/24 10.78.0.11/24; do ip addr add $address dev lo; done; ip addr add fd00:77::11/64 dev lo nodad
printf '127.0.0.1 localhost\\n10.77.0.11 n1\\n10.77.0.12 n2\\n10.77.0.13 n3\\n' > /etc/hosts
mount -t tmpfs run /run; export OCF_ROOT=/usr/lib/ocf BACKSTAY_RUN=/run/backstay
"""


def judged(chamber: Chamber, tmp_path: Path, service: str, entries: list[table.Entry]) -> list[dict[str, Any]]:
    """What daemon and agents say of each, in the order of the entries."""
    asked = [
        {
            "name": entry.name,
            "flags": entry.flags,
            "files": {name: base64.b64encode(data).decode() for name, data in entry.files.items()},
        }
        for entry in entries
    ]
    (tmp_path / "entries.json").write_text(json.dumps(asked))
    shutil.copy(table.HERE / "judge.py", tmp_path)
    done = chamber(
        f"{PREPARE} python3 judge.py {service} < entries.json > judged", timeout=60 + 12 * len(entries), check=False
    )
    assert done.status == 0, done.out + done.err
    found = [json.loads(line) for line in (tmp_path / "judged").read_text().splitlines()]
    assert [one["name"] for one in found] == [entry.name for entry in entries]
    return found


def chosen(service: str) -> list[table.Entry]:
    entries = table.read(service)
    return entries if WANTED else entries[SEED % STEP[service] :: STEP[service]]


@pytest.mark.parametrize("service", table.SERVICES)
def test_the_agents_agree_with_the_daemon_about_what_people_have(
    chamber: Chamber, tmp_path: Path, service: str
) -> None:
    found = judged(chamber, tmp_path, service, chosen(service))
    if WANTED == "record":
        agreement.record(service, found)
    wrong = {one["name"]: words for one in found if (words := agreement.disagreements(service, one))}
    assert not wrong, json.dumps(wrong, indent=1)
    verdicts = agreement.recorded(service)
    changed = {one["name"]: one["said"] for one in found if one["accepted"] != verdicts[one["name"]]}
    assert not changed, f"the daemon changed its mind (make verdicts): {changed}"


@pytest.mark.parametrize("service", table.SERVICES)
def test_the_agents_agree_with_the_daemon_about_damaged_ones(chamber: Chamber, tmp_path: Path, service: str) -> None:
    found = judged(chamber, tmp_path, service, mutate.mutants(table.read(service), SEED, MUTANTS))
    wrong = {one["name"]: words for one in found if (words := agreement.disagreements(service, one))}
    assert not wrong, json.dumps(wrong, indent=1)
