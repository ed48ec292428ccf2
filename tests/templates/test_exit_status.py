"""What monitoring reads of the commands: 0, 1, 2 as found, and 3 where it cannot be told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.conftest import Chamber  # type: ignore[import-not-found]
from tests.templates.test_mysql_template import cib  # type: ignore[import-not-found]

from backstay.admin.monitored import exit_status
from backstay.cluster.model import Finding

# Each `tell ARGUMENTS` gives the exit status, standard output and standard error of the command as a line of JSON.
TELL = r"""
cat > /tmp/tell.py <<'END'
import json, subprocess, sys
argv = ["python3", "-c", "from backstay.admin.cli import main; main()", *sys.argv[1:]]
done = subprocess.run(argv, capture_output=True, text=True)
print(json.dumps([done.returncode, done.stdout, done.stderr]))
END
tell() { python3 /tmp/tell.py "$@"; }
"""


def told(chamber: Chamber, script: str) -> list[tuple[int, str, str]]:
    return [tuple(json.loads(line)) for line in chamber(TELL + script, timeout=120).out.splitlines()]


@pytest.mark.parametrize(
    ("levels", "status"),
    [("", 0), ("warning", 1), ("warning error", 2), ("unknown", 3), ("unknown warning", 3), ("unknown error", 2)],
)
def test_the_gravest_finding_decides(levels: str, status: int) -> None:
    assert exit_status([Finding(level, "", "", "") for level in levels.split()]) == status


def test_without_a_cluster_nothing_is_told_of_it(chamber: Chamber) -> None:
    plain, for_programs = told(chamber, "unset CIB_file; tell status; tell status --json")
    assert plain[:2] == (3, "")
    assert plain[2].startswith(
        "backstay: cannot tell: the cluster does not run on this node: systemctl start pacemaker"
    )
    assert for_programs[0] == 3 and "does not run" in json.loads(for_programs[1])["error"]


def test_what_is_misspelled_is_no_fault_of_the_cluster(chamber: Chamber) -> None:
    for status, _, said in told(chamber, "tell status --no-such; tell doctor --no-such; tell status --interval no"):
        assert status == 3 and "Usage" in said


def test_a_missing_privilege_is_named(chamber: Chamber, tmp_path: Path) -> None:
    """Pacemaker's tools tell in XML what a user may not do."""
    (tmp_path / "cib.xml").write_text(cib(["n1"]))
    denies = """
    cat > /usr/local/sbin/crm_mon <<'END'
#!/bin/sh
echo '<pacemaker-result><status code="4" message="Insufficient privileges"><errors>
<error>crm_mon: Connection to cluster failed: Permission denied</error></errors></status></pacemaker-result>'
exit 4
END
    chmod 755 /usr/local/sbin/crm_mon
    tell status; tell doctor --json
    """
    status, doctor = told(chamber, denies)
    remedy = "run this as root, or as a member of haclient"
    assert status[0] == 3 and f"Connection to cluster failed: Permission denied: {remedy}" in status[2]
    found = [one for one in json.loads(doctor[1])["findings"] if one["level"] == "unknown"]
    assert [(one["subject"], one["remedy"]) for one in found] == [("cluster", remedy)]


def test_who_is_not_root_is_told_that_doctor_has_not_seen_all(chamber: Chamber) -> None:
    script = (
        "unset CIB_file; chmod 755 /tmp /work; setpriv --reuid=nobody --clear-groups python3 /tmp/tell.py doctor --json"
    )
    [(status, out, _)] = told(chamber, script)
    assert "run this as root" in [one["remedy"] for one in json.loads(out)["findings"] if one["level"] == "unknown"]
    assert status in (2, 3)  # this host lacks a few things
