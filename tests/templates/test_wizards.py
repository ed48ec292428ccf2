"""The topologies as crmsh's own wizards, made from the templates: `crm script run` makes what `crm configure load` makes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.conftest import Chamber  # type: ignore[import-not-found]
from tests.templates.test_mysql_template import FENCING, cib  # type: ignore[import-not-found]
from tests.templates.test_render_formats import BEFORE, NODES, canonical, values_for  # type: ignore[import-not-found]

from backstay.admin.render import rendered
from backstay.admin.templates import load, names
from backstay.admin.wizard import wizard
from backstay.ocf.errors import WrongParameter

OWN_NAME = {"nodes": "node_count"}  # `nodes` is a parameter that crmsh itself gives to every wizard
SLOW = pytest.mark.slow  # five starts of crmsh each


@pytest.mark.parametrize("topology", [pytest.param(name, marks=[SLOW] if name != "mysql" else []) for name in names()])
def test_a_wizard_makes_what_the_template_makes(chamber: Chamber, tmp_path: Path, topology: str) -> None:
    values = values_for(topology)
    before = "".join(rendered(other, values_for(other), "crm") for other in BEFORE.get(topology, []))
    (tmp_path / "cib.xml").write_text(cib(NODES))
    (tmp_path / "before.crm").write_text(FENCING.format(nodes=" ".join(NODES)) + before)
    (tmp_path / "t.crm").write_text(rendered(topology, values, "crm"))
    pairs = {OWN_NAME.get(name, name): value for name, value in values.items()}
    (tmp_path / "wizard.crm").write_text("\n".join(f"{name}={value}" for name, value in pairs.items()))
    said = chamber(
        f"""
        python3 -m backstay.admin.wizard /usr/share/crmsh/scripts
        crm -F configure load update before.crm >&2; cp cib.xml by_wizard.xml
        crm configure load update t.crm >&2
        export CIB_file=/work/by_wizard.xml; rm -f /work/*.sig
        crm script list | grep backstay-{topology}
        set --; while IFS= read -r pair || [ -n "$pair" ]; do set -- "$@" "$pair"; done < wizard.crm
        crm script run backstay-{topology} "$@" >&2 || true  # it waits for a cluster afterwards, and here is none
        """,
        timeout=120,
    )
    assert f"backstay-{topology}" in said.out
    assert canonical(tmp_path / "by_wizard.xml") == canonical(tmp_path / "cib.xml")


def test_a_value_must_be_given_where_the_template_wants_one() -> None:
    made = wizard("mysql", load("mysql"))
    described = re.findall(r"  - name: (\w+)\n    shortdesc: (.*)\n    (.*)\n", made)
    values = {name: (text, needs) for name, text, needs in described}
    assert values["writer_ip"][0].startswith('"mysql: Writer address. The floating address')
    assert values["writer_ip"][1] == "required: true"
    assert values["config"][1] == 'value: "/etc/mysql/my.cnf"'
    assert "@" not in made.partition("actions:")[2]


@pytest.mark.parametrize("text", ["# T.\n\nproperty a={{b}}\n", "# T.\n\nproperty a=@user@\n"])
def test_what_crmsh_would_take_for_its_own_is_refused(text: str) -> None:
    with pytest.raises(WrongParameter):
        wizard("t", text)
