"""What an agent remembers of the attributes that it wrote, on a real cluster."""

from __future__ import annotations

from backstay_lab.machines.cluster import Lab

# Each call is a child of the same shell, as an agent's actions are of the same executor.
SCRIPT = r"""
set -e
trial() {
    python3 -I -c '
import sys
sys.path.insert(0, "/usr/lib/ocf/lib")
from backstay.host.deadline import Deadline
from backstay.cluster.attributes import Attribute
from backstay.cluster.pacemaker import Pacemaker
pacemaker = Pacemaker("trial", sys.argv[1], "/run/trial", Deadline(20))
name, value = sys.argv[2:]
if name == "score":
    pacemaker.set_promotion_score(int(value))
elif name == "remembered":
    print(name, pacemaker.has_promotion_score(int(value)))
else:
    pacemaker.set_attribute(Attribute("{resource}-" + name, "", lost=""), value)
' "$(crm_node -n)" "$@"
}
score() { attrd_updater -Q -n master-trial | sed -n 's/.* value="\(.*\)".*/score \1/p'; }
now() { python3 -c 'import time; print(int(time.monotonic()))'; }
mkdir -p /run/trial
trial score 100
WHAT
rm -r /run/trial
attrd_updater -D -n master-trial
attrd_updater -D -n trial-other
"""


def said(lab: Lab, what: str) -> list[str]:
    return lab.run(lab.nodes[0], ["sh", "-c", SCRIPT.replace("WHAT", what)], timeout=60).out.split("\n")[:-1]


def test_an_action_that_is_killed_before_it_notes_what_it_wrote_leaves_nothing_to_be_believed(three: Lab) -> None:
    """Pacemaker kills a monitor that it cancels. The next promotion took a low score for a full one, and lost the role again."""
    killing = r"""
    own=/usr/local/sbin/attrd_updater
    printf '#!/bin/sh\n/usr/sbin/attrd_updater "$@"\nkill -9 $PPID\n' > $own; chmod 755 $own
    trial score 10 || true
    rm $own
    score; trial remembered 100; trial score 100; score; trial remembered 100
    """
    expected = ["score 10", "remembered False", "score 100", "remembered True"]
    assert [line for line in said(three, killing) if "Killed" not in line] == expected


def test_what_is_remembered_is_trusted_for_three_minutes_however_often_something_else_is_written(three: Lab) -> None:
    aged = r"""
    sed -i "1s/ .*/ $(($(now) - 170)).5/" /run/trial/attributes
    trial other 1
    head -1 /run/trial/attributes | cut -d' ' -f2 | cut -d. -f2
    attrd_updater -n master-trial -U 10; trial score 100; score
    sed -i "1s/ .*/ $(($(now) - 181)).5/" /run/trial/attributes
    trial score 100; score; head -1 /run/trial/attributes | cut -d. -f2 | wc -c
    """
    lines = said(three, aged)
    assert lines[0] == "5"  # the time that stood there
    assert lines[1] == "score 10"  # nobody else writes it, so nobody is asked
    assert lines[2] == "score 100"
    assert int(lines[3]) > 2  # a time of its own
