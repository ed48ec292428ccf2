"""Rendering a template: every value is given, known and harmless, or all complaints come at once."""

from __future__ import annotations

import pytest

from backstay.errors import WrongParameter
from backstay.templates import load, render

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
