"""crmsh's language read into values, and written as pcs commands: every form that a template may use."""

from __future__ import annotations

import pytest

from backstay.admin import crm_parser, pcs_writer
from backstay.admin.render import rendered, values_of
from backstay.ocf.errors import WrongParameter


def pcs_lines(text: str) -> list[str]:
    """The commands of the script for a template text, joined and without their beginning."""
    script = pcs_writer.script(crm_parser.parse(text), "x", {}).replace(" \\\n    ", " ")
    beginnings = ("pcs -f", "by_version ")
    return [line.removeprefix('pcs -f "$cib" ') for line in script.splitlines() if line.startswith(beginnings)]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("property a=1 b=2\n", ["property set a=1 b=2"]),
        ("rsc_defaults resource-stickiness=1\n", ["resource defaults update resource-stickiness=1"]),
        ("op_defaults timeout=20s\n", ["resource op defaults update timeout=20s"]),
        (
            'primitive a ocf:x:y params p="1 2" \\\n  meta m=1 \\\n utilization reader=1 op start interval=0\n',
            [
                "resource create a ocf:x:y 'p=1 2' op start interval=0 meta m=1 --no-default-ops",
                "resource utilization a reader=1",
            ],
        ),
        ("primitive f stonith:fence_x params k=v\n", ["stonith create f fence_x k=v"]),
        ("clone c a meta promotable=true\n", ["resource clone a c", "resource meta c promotable=true"]),
        ("group g a b\n", ["resource group add g a b"]),
        ("colocation x -inf: a:Promoted b\n", ["constraint colocation add Promoted a with b score=-INFINITY id=x"]),
        ("colocation x 100: a b:Started\n", ["constraint colocation add a with Started b score=100 id=x"]),
        (
            "order x Optional: a:stop b symmetrical=false\n",
            ["constraint order stop a then stop b kind=Optional symmetrical=false id=x"],
        ),
        ("location x a -inf: n1\n", ["by_version score=-INFINITY '-- -INFINITY' constraint location add x a n1"]),
        ("location x a 50: n1\n", ["by_version score=50 50 constraint location add x a n1"]),
        (
            "location x a rule $role=Promoted -inf: not_defined r or r lt 1\n",
            [
                "by_version 'not_defined r or r lt 1' 'not_defined r or r lt 1' constraint location a rule"
                " constraint-id=x role=Promoted score=-INFINITY",
            ],
        ),
    ],
)
def test_every_form_has_its_pcs_commands(text: str, lines: list[str]) -> None:
    assert pcs_lines(text) == lines


@pytest.mark.parametrize(
    "text",
    [
        "ms m a\n",
        "primitive a\n",
        "primitive a ocf:x:y params p\n",
        "primitive a ocf:x:y params p=1 operations op start\n",
        "clone c a b\n",
        "colocation x inf a b\n",
        "colocation x inf: a b c\n",
        "colocation x inf: a:start b\n",
        "order x 0: a b\n",
        "order x Mandatory: a:Promoted b\n",
        "location x a rule -inf:\n",
        "property a=1 \\\n",
        "order x Mandatory: a b c\n",
        "location x a role=Promoted 50: n1\n",
    ],
)
def test_what_cannot_be_said_is_an_error_and_never_left_out(text: str) -> None:
    with pytest.raises(WrongParameter):
        pcs_lines(text)


def test_explanations_stay_next_to_their_lines() -> None:
    script = pcs_writer.script(crm_parser.parse("# why a\nproperty a=1\n\n# why b\n#   more\nproperty b=2\n"), "x", {})
    assert "# why a\npcs" in script and "# why b\n#   more\npcs" in script


def test_values_come_from_lines_and_are_not_shown_when_not_understood() -> None:
    assert values_of(["# a comment", "", "a=b=c", " d =  e"], "file") == {"a": "b=c", "d": "  e"}
    with pytest.raises(WrongParameter) as failed:
        values_of(["s3cret"], "file")
    assert "s3cret" not in str(failed.value)
    with pytest.raises(WrongParameter, match="a is given twice"):
        values_of(["a=1", "a=2"], "file")


@pytest.mark.parametrize("format", ["crm", "pcs"])
def test_all_unset_values_are_named_together_in_every_format(format: str) -> None:
    with pytest.raises(WrongParameter, match="monitor_password, nodes, replication_password, writer_ip"):
        rendered("mysql", {}, format)
