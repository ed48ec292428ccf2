"""A failover has as many steps with thirty-two nodes as with four: nothing in it asks every node."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree
from tests.conftest import Chamber  # type: ignore[import-not-found]

from backstay.admin.templates import load, render
from backstay_lab.bench.growth import grown, steps
from backstay_lab.machines.configuration import seed

VALUES = {"writer_ip": "10.0.0.1", "nodes": "3", "monitor_password": "m", "replication_password": "r"}
NAMES = [f"n{number}" for number in range(1, 33)]


@pytest.fixture
def configuration(chamber: Chamber, tmp_path: Path) -> etree._Element:
    (tmp_path / "cib.xml").write_text(seed("n1", NAMES[:3], 1000, "reboot")["var/lib/pacemaker/cib/cib.xml"])
    (tmp_path / "mysql.crm").write_text(render(load("mysql"), VALUES))
    chamber("crm configure load update mysql.crm")
    return etree.parse(tmp_path / "cib.xml").getroot()


def test_losing_the_primary_takes_as_many_steps_in_a_large_cluster(
    chamber: Chamber, tmp_path: Path, configuration: etree._Element
) -> None:
    taken = {}
    for count in (4, 32):
        names = NAMES[:count]
        (tmp_path / "cold.xml").write_bytes(etree.tostring(grown(configuration, "mysql", names)))
        up = " ".join(f"--node-up {name}" for name in names)
        said = chamber(
            f"""
            unset CIB_file
            crm_simulate --quorum true --simulate --xml-file cold.xml {up} --save-output warm.xml > /dev/null
            lost=$(crm_simulate --xml-file warm.xml | sed -n 's/.* Promoted: \\[ \\(n[0-9]*\\) .*/\\1/p')
            crm_simulate --quorum true --simulate --xml-file warm.xml --node-fail "$lost"
            """
        ).out
        assert "promote on n" in said
        taken[count] = steps(said)
    assert taken[4] == taken[32] > 5
