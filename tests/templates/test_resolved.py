"""What is read of a configuration with templates and references is what Pacemaker's own tools say."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Chamber  # type: ignore[import-not-found]
from tests.decisions.test_configuration import FORMS, TEMPLATE, configured  # type: ignore[import-not-found]
from tests.templates.test_mysql_template import cib  # type: ignore[import-not-found]

OPTIONS = """<crm_config><cluster_property_set id="o"><nvpair id="o-s" name="stonith-enabled" value="false"/>
</cluster_property_set></crm_config>"""


def test_parameters_and_meta_attributes_are_those_of_crm_resource(chamber: Chamber, tmp_path: Path) -> None:
    text = (
        cib(["n1", "n2"])
        .replace("<resources/>", f"<resources>{TEMPLATE}</resources>")
        .replace("<crm_config/>", OPTIONS)
    )
    (tmp_path / "cib.xml").write_text(text.replace("<constraints/>", f"<constraints>{FORMS['sets']}</constraints>"))
    asked = {
        ("one", "writer_address"): "-g writer_address",
        ("one", "datadir"): "-g datadir",
        ("ip", "ip"): "-g ip",
        ("ip", "failure-timeout"): "--meta -g failure-timeout",
    }
    for (name, what), arguments in asked.items():
        resource = configured("").resource(name)
        assert resource is not None
        said = chamber(f"crm_resource -r {name} {arguments}").out.strip()
        assert said == {**resource.parameters, **resource.meta}[what]
    chamber("crm_verify -V -x cib.xml")  # it raises where Pacemaker would not take it
