"""One topology, two languages: what `crm` loads and what the pcs script makes are the same configuration."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from lxml import etree
from tests.conftest import CHECKOUT, Chamber  # type: ignore[import-not-found]
from tests.templates.test_mysql_template import FENCING, cib  # type: ignore[import-not-found]

from backstay.admin.render import rendered
from backstay.admin.templates import load, names, placeholders
from backstay.host import command

NODES = ["n1", "n2", "n3"]
# All that a shell or a parser could stumble over, but for what render refuses.
HOSTILE = "it's $HOME `x` #a;b=c/d &<>*! ~"


BEFORE = {"mysql-readers": ["mysql"], "rabbitmq-addresses": ["rabbitmq"]}  # what a topology adds to
ASKS = {"rabbitmq-addresses": {"note_clients": "true"}}  # and which values that needs for it
WHOLE = "openstack"
INCLUDED = {line.split()[1] for line in (CHECKOUT / f"crm-templates/{WHOLE}.crm").read_text().splitlines()
            if line.startswith("include ")}  # fmt: skip


def values_for(topology: str) -> dict[str, str]:
    """Something fit for every value that must be given: told by its name."""
    values = {}
    for number, (name, default) in enumerate(placeholders(load(topology)).items(), 100):
        if default is not None:
            continue
        if re.search("_(ip|address|vip)$|_ip_?[0-9]*$", name):
            values[name] = f"10.77.0.{number}"
        elif re.fullmatch(r"node_\d", name):
            values[name] = f"n{name[-1]}"
        elif "password" in name or "secret" in name or "cookie" in name:
            values[name] = HOSTILE
        else:
            values[name] = "3"
    return values


def canonical(path: Path) -> list[str]:
    """The configuration without comments, without names that the tools invent, and in one order."""
    root = etree.parse(str(path), etree.XMLParser(remove_comments=True, remove_blank_text=True)).getroot()

    def told(element: etree._Element) -> str:
        attributes = dict(element.attrib)
        if element.tag in ("nvpair", "op", "rule", "expression") or element.tag.endswith(("_attributes", "_set")):
            attributes.pop("id", None)
        if attributes.get("rsc-role") == "Started":  # what pcs writes for no role, and Pacemaker reads the same
            attributes.pop("rsc-role")
        if attributes.get("boolean-op") == "and":  # Pacemaker's default, which pcs writes from 0.12 on
            attributes.pop("boolean-op")
        if element.tag == "rsc_order":  # Pacemaker's defaults, which pcs writes out
            attributes.setdefault("first-action", "start")
            attributes.setdefault("then-action", attributes["first-action"])
        shown = " ".join(f"{name}={value!r}" for name, value in sorted(attributes.items()))
        return f"<{element.tag} {shown}>{''.join(sorted(map(told, element)))}</>"

    configuration = root.find("configuration")
    assert configuration is not None
    parts = [configuration.find(part) for part in ("crm_config", "resources", "constraints", "rsc_defaults")]
    return sorted(told(child) for part in parts if part is not None for child in part)


# What includes the others holds every line of theirs.
@pytest.mark.parametrize("topology", [pytest.param(n, marks=pytest.mark.slow) if n in INCLUDED else n for n in names()])
def test_crm_and_pcs_make_the_same_configuration(chamber: Chamber, tmp_path: Path, topology: str) -> None:
    (tmp_path / "cib.xml").write_text(cib(NODES))
    before = "".join(
        rendered(other, {**values_for(other), **ASKS.get(topology, {})}, "crm") for other in BEFORE.get(topology, [])
    )
    (tmp_path / "before.crm").write_text(FENCING.format(nodes=" ".join(NODES)) + before)
    (tmp_path / "t.crm").write_text(rendered(topology, values_for(topology), "crm"))
    (tmp_path / "t.pcs.sh").write_text(rendered(topology, values_for(topology), "pcs"))
    said = chamber(
        """
        crm -F configure load update before.crm; cp cib.xml by_pcs.xml; rm -f cib.xml.sig
        crm configure load update t.crm
        unset CIB_file
        sh t.pcs.sh by_pcs.xml
        crm_verify -V -x cib.xml; crm_verify -V -x by_pcs.xml
        """,
        timeout=240,
    )
    complaints = [
        line
        for line in (said.out + said.err).splitlines()
        if re.search("warning|error", line, re.IGNORECASE)
        and "unknown attribute 'critical'" not in line  # crmsh 4.4 does not know it, and sets it
        and "Unable to detect init system" not in line  # a chamber has none
    ]
    assert complaints == []
    assert canonical(tmp_path / "by_pcs.xml") == canonical(tmp_path / "cib.xml")


def test_the_command_takes_secrets_from_standard_input_and_keeps_them_private(tmp_path: Path) -> None:
    argv = [str(CHECKOUT / "bin/backstay"), "render", "mysql", "--set", "writer_ip=10.0.0.1", "--set", "nodes=3"]
    secrets = "monitor_password=m0n\nreplication_password=r3p\n"
    target = tmp_path / "mysql.crm"
    done = command.run([*argv, "--values", "-", "-o", str(target)], 30, input=secrets)
    assert f"crm configure load update {target}" in done.err
    assert target.stat().st_mode & 0o777 == 0o600
    assert 'monitor_password="m0n"' in target.read_text()
    failed = command.run(argv, 30, check=False)
    assert failed.status == 2 and failed.out == ""
    assert failed.err.strip() == "backstay: values not given: monitor_password, replication_password"


def test_nothing_that_lies_in_wait_for_the_output_is_written_to(tmp_path: Path) -> None:
    """In a directory like /tmp another may have made any name before: a link, or a file that stays readable for its maker."""
    argv = [str(CHECKOUT / "bin/backstay"), "render", "mysql", "--set", "writer_ip=10.0.0.1", "--set", "nodes=3"]
    victim, target = tmp_path / "victim", tmp_path / "mysql.crm"
    victim.write_text("kept")
    victim.chmod(0o644)
    for planted in (f"{target}.partial", f"{target}.new", str(target)):
        for plant in (os.symlink, os.link):
            plant(victim, planted)
            command.run(
                [*argv, "--values", "-", "-o", str(target)], 30, input="monitor_password=m\nreplication_password=r\n"
            )
            assert victim.read_text() == "kept" and victim.stat().st_mode & 0o777 == 0o644, planted
            assert target.stat().st_mode & 0o777 == 0o600 and not target.is_symlink()
            for path in tmp_path.iterdir():
                if path != victim:
                    path.unlink()
