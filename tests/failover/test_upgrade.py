"""What an admin's rolling upgrade is like: sets that began with the agents of an earlier revision, and were configured by its
templates, get the present ones, node by node under load. `backstay rehearse SERVICE --fault upgrade` does it with the same
version."""

from __future__ import annotations

from pathlib import Path

import pytest
from judged import is_clean

from backstay.host.deadline import Deadline, poll
from backstay_lab.machines import release
from backstay_lab.machines.cluster import Lab
from backstay_lab.run.rehearsal import rehearse
from backstay_lab.systems.catalogue import rehearsed, topology

pytestmark = pytest.mark.slow

# Its monitors answer with degraded results, its replicas note no password, its watchers no installation, and its agents follow no
# link: they find a library that changes under their hands.
EARLIER = "6f8aef4d08c5"


# The last whose record named as acknowledgers whoever had been, and dropped whoever was offline.
TRUSTING = "3af6ab2"


@pytest.mark.parametrize("name", ["mysql", "rabbitmq"])
def test_versions_mix_on_the_way_there_and_back(name: str, tmp_path: Path) -> None:
    """A node of each version leads and is lost, while the others are of the other version."""
    release.fetch(TRUSTING, str(tmp_path / "earlier"))
    subject = rehearsed()[name]
    lab = Lab.up(str(tmp_path / "lab"), topology=topology(subject.topology), revision=TRUSTING)
    try:
        service = subject.attach(lab)

        def lose(turn: str) -> None:
            histories = tmp_path / turn
            histories.mkdir()
            outcome = rehearse(service, subject.faults["kill"], str(histories))
            assert is_clean(outcome), f"{turn}: {outcome.verdict}"

        first, *others = lab.nodes
        lab.upgrade(first)
        for leader in (first, others[0]):
            service.wait_whole(120)
            if service.promoted() != leader:
                lab.run(
                    leader,
                    ["crm_resource", "--move", "-r", service.clone, "--promoted", "-N", leader, "--lifetime=PT20S"],
                )
                poll(
                    lambda leader=leader: service.in_role("Promoted") == [leader],
                    Deadline(60),
                    f"{leader} to lead",
                    0.2,
                )
            lose(f"{leader}-of-both")
        for back in (False, True):
            for node in lab.nodes:
                lab.upgrade(node, back)
            service.wait_whole(120)
            lose("back" if back else "there")
    finally:
        lab.down()


@pytest.mark.parametrize("name", ["mysql", "rabbitmq"])
def test_a_set_of_earlier_agents_is_upgraded_under_load_and_survives_its_leader(name: str, tmp_path: Path) -> None:
    """Fails with a sentence where the history lacks the earlier revision, as in a shallow clone."""
    release.fetch(EARLIER, str(tmp_path / "earlier"))
    subject = rehearsed()[name]
    lab = Lab.up(str(tmp_path / "lab"), topology=topology(subject.topology), revision=EARLIER)
    try:
        service = subject.attach(lab)
        for fault in ("upgrade", "kill"):
            histories = tmp_path / fault
            histories.mkdir()
            outcome = rehearse(service, subject.faults[fault], str(histories))
            assert is_clean(outcome), f"{fault}: {outcome.verdict}"
            if fault == "upgrade":
                assert outcome.now == outcome.was
    finally:
        lab.down()
