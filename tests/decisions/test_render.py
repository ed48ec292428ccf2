"""Rendering a template: every value is given, known and harmless, or all complaints come at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backstay.admin import template_values
from backstay.admin.render import rendered
from backstay.admin.templates import load, names, placeholders, render
from backstay.ocf.errors import WrongParameter

TEXT = '# as @this@\nparams ip="@writer_ip@" mask="@mask@" port=@port=3306@ empty=@empty=@\n'


def test_values_and_defaults_are_filled_in_and_comments_are_left_alone() -> None:
    assert render(TEXT, {"writer_ip": "10.0.0.1", "mask": "24"}) == (
        '# as @this@\nparams ip="10.0.0.1" mask="24" port=3306 empty=\n'
    )
    assert "port=3307" in render(TEXT, {"writer_ip": "10.0.0.1", "mask": "24", "port": "3307"})


def test_all_unset_values_are_named_together() -> None:
    with pytest.raises(WrongParameter, match=r"^values not given: mask, writer_ip$"):
        render(TEXT, {})


def test_a_typing_error_in_a_name_is_not_ignored() -> None:
    with pytest.raises(WrongParameter, match="the template does not have: prot"):
        render(TEXT, {"writer_ip": "10.0.0.1", "mask": "24", "prot": "3307"})


@pytest.mark.parametrize("value", ['a" op stop on-fail=ignore "', "a\nb", "", "a\\", "@port@"])
def test_a_value_cannot_break_out_of_its_quotes(value: str) -> None:
    with pytest.raises(WrongParameter, match=r"mask$"):
        render(TEXT.replace("@writer_ip@", "@mask@"), {"mask": value})


def test_the_mysql_template_names_what_it_needs() -> None:
    with pytest.raises(
        WrongParameter, match=r"^values not given: monitor_password, nodes, replication_password, writer_ip$"
    ):
        render(load("mysql"), {})


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A directory of templates with one in it, `part`."""
    (tmp_path / "part.crm").write_text(
        "# A part.\n# Fill in by hand.\n# Twice.\n# Before you load it\n# Think.\n"
        "# Safe.\nproperty safe=yes fast=no\nprimitive part x params config=@config=/etc/part@ nodes=@nodes@\n"
    )
    return tmp_path


def test_an_included_template_stands_where_it_is_named_with_its_values_renamed(shelf: Path) -> None:
    (shelf / "whole.crm").write_text("# All.\ninclude part config=@part_config=/etc/whole@\n")
    assert placeholders(load("whole", str(shelf))) == {"part_config": "/etc/whole", "nodes": None}
    assert render(load("whole", str(shelf)), {"nodes": "3"}) == (
        "# All.\n# A part.\n# Before you load it\n# Think.\n"
        "# Safe.\nproperty safe=yes fast=no\nprimitive part x params config=/etc/whole nodes=3\n"
    )


def test_an_include_that_gives_what_is_not_there_is_not_ignored(shelf: Path) -> None:
    (shelf / "whole.crm").write_text("include part confg=/etc/whole\n")
    with pytest.raises(WrongParameter, match=r"^part\.crm does not have the values confg$"):
        load("whole", str(shelf))
    (shelf / "whole.crm").write_text("include prat\n")
    with pytest.raises(WrongParameter, match="no topology prat"):
        load("whole", str(shelf))


def test_properties_become_one_statement_and_keep_their_comments(shelf: Path) -> None:
    (shelf / "whole.crm").write_text("# Seen.\nproperty seen=yes\ninclude part\n")
    assert "# Seen.\nproperty seen=yes safe=yes fast=no\n" in load("whole", str(shelf))
    assert "# Safe.\n# Set above, with the other properties: safe=yes fast=no\n" in load("whole", str(shelf))


def test_properties_that_contradict_each_other_are_refused(shelf: Path) -> None:
    (shelf / "whole.crm").write_text("property fast=yes\ninclude part\n")
    with pytest.raises(WrongParameter, match="contradict each other: fast=yes and fast=no"):
        load("whole", str(shelf))


GOOD = {"writer_ip": "10.0.0.9", "nodes": "3", "monitor_password": "a'b", "replication_password": "lrm://"}


@pytest.mark.parametrize("format", ["crm", "pcs"])
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("writer_ip", "banana", "mysql-writer: parameter ip=banana: not an IPv4 or IPv6 address"),
        ("nodes", "zero", "mysql-clone: clone-max=zero: a whole number is needed"),
        ("rebuild", "maybe", "mysql: parameter rebuild=maybe: one of never, auto is needed"),
    ],
)
def test_values_are_checked_by_the_declarations_of_the_agents(name: str, value: str, said: str, format: str) -> None:
    assert rendered("mysql", GOOD, format)
    with pytest.raises(WrongParameter, match=re.escape(said)):
        rendered("mysql", {**GOOD, name: value}, format)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(WrongParameter) as refused:
        rendered("mysql", {**GOOD, "writer_ip": "banana", "nodes": "zero"}, "crm")
    assert "banana" in str(refused.value) and "zero" in str(refused.value)


@pytest.mark.parametrize("topology", names())
def test_every_value_is_described_in_words_of_the_agents(topology: str) -> None:
    text = load(topology)
    described = template_values.described(text)
    assert list(described) == list(placeholders(text))
    assert all(sentence.endswith(".") and ": " in sentence for sentence in described.values()), described


def test_a_script_for_pcs_has_no_secret_among_arguments_and_speaks_no_crmsh() -> None:
    secret = "it's a/b&c<\"d"
    values = {**GOOD, "monitor_password": secret.replace('"', ""), "replication_password": "r3p/l"}
    script = rendered("mysql", values, "pcs")
    commands, _, secrets = script.partition("# Secrets.")
    assert "r3p" not in commands and "it's a" not in commands
    assert "sed -i -f - " in secrets and "r3p\\/l" in secrets and "it's a\\/b\\&amp;c\\&lt;d" in secrets
    assert not re.search(r"\bcrm\b|\.crm\b", script)
    outside = rendered("mysql", {**GOOD, "monitor_password": "lrm://"}, "pcs")
    assert "monitor_password=lrm://" in outside and "# Secrets." not in outside
