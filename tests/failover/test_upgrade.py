"""What an admin's rolling upgrade is like: sets that began with the agents of an earlier revision, and were configured by its
templates, get the present ones, node by node under load. `backstay rehearse SERVICE --fault upgrade` does it with the same
version."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstay.lab import release
from backstay.lab.cluster import Lab
from backstay.rehearse.scenarios import rehearse
from backstay.rehearse.services import SERVICES

pytestmark = [pytest.mark.lab, pytest.mark.slow]

# Its monitors answer with degraded results, its replicas note no password, its watchers no installation, and its agents follow no
# link: they find a library that changes under their hands.
EARLIER = "6f8aef4d08c5"


@pytest.mark.parametrize("name", ["mysql", "rabbitmq"])
def test_a_set_of_earlier_agents_is_upgraded_under_load_and_survives_its_leader(name: str, tmp_path: Path) -> None:
    """Fails with a sentence where the history lacks the earlier revision, as in a shallow clone."""
    release.fetch(EARLIER, str(tmp_path / "earlier"))
    subject = SERVICES[name]
    lab = Lab.up(str(tmp_path / "lab"), topology=subject.topology, revision=EARLIER)
    try:
        service = subject.attach(lab)
        for fault in ("upgrade", "kill"):
            histories = tmp_path / fault
            histories.mkdir()
            outcome = rehearse(service, subject.faults[fault], str(histories))
            assert outcome.clean, f"{fault}: {outcome.verdict}"
            if fault == "upgrade":
                assert outcome.now == outcome.was
    finally:
        lab.down()
