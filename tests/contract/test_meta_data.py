"""Every agent's meta-data: what it says, and that those who read it take it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from tests.conftest import CHECKOUT, Chamber  # type: ignore[import-not-found]

AGENTS = sorted(path.name for path in (CHECKOUT / "agents").iterdir())


@pytest.mark.parametrize("agent", AGENTS)
def test_it_is_golden(agent: str) -> None:
    """UPDATE_GOLDEN=1 writes it anew."""
    golden = Path(__file__).parent / f"golden/{agent}.xml"
    environment = {"PATH": "/usr/bin:/bin", "OCF_ROOT": "/usr/lib/ocf"}
    argv = [CHECKOUT / "agents" / agent, "meta-data"]
    said = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")


def test_it_fits_the_schema_and_crmsh_shows_it(chamber: Chamber) -> None:
    script = f"""
    for agent in {" ".join(AGENTS)}; do
        /usr/lib/ocf/resource.d/backstay/$agent meta-data > /tmp/$agent.xml
        xmllint --noout --relaxng /usr/share/pcs/data/ocf-1.1.rng /tmp/$agent.xml 2>&1
        crm ra info ocf:backstay:$agent > /tmp/info 2>&1 && echo "shown $(grep -c "Parameters" /tmp/info)"
    done
    """
    said = chamber(script).out
    assert said.count(".xml validates\n") == len(AGENTS), said
    assert re.findall(r"^shown (\d+)$", said, re.MULTILINE) == ["1"] * len(AGENTS), said
