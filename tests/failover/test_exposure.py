"""No secret where it should not be, and our files as docs/security.md has them: a control plane with marked passwords goes
through changes of passwords, failovers, a rebuild and wrong credentials, watched all along and searched afterwards."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from lxml import etree

from backstay.host.deadline import Deadline, poll
from backstay.services.rabbitmq.cookie import derived_password
from backstay_lab.machines.cluster import Lab
from backstay_lab.run.secret_leaks import Hit, Sampler, files
from backstay_lab.systems.catalogue import topology
from backstay_lab.systems.openstack.workload import ControlPlane

pytestmark = pytest.mark.slow

BEGINNING = "exposed"  # of every mark

# Pacemaker hands an agent its parameters in the environment: that of the agent's own processes, which root alone can read.
AGENT = re.compile(r"/resource\.d/backstay/|from backstay\.[\w.]+ import ")

# Files in which a secret may be, none of them readable by all. What is configured in clear is in the configuration.
LEGITIMATE = {
    r"/var/lib/pacemaker/(cib|pengine)/": "the configuration, and what the scheduler was given",
    r"/var/log/pacemaker/pacemaker\.log": "Pacemaker logs each change of the configuration (and nothing else, see below)",
    r"/dev/shm/qb-|/var/lib/pacemaker/blackbox": "how Pacemaker's own processes talk to each other",
    r"/root/openstack\.crm": "what the admin loaded",
    r"/var/lib/mysql(\.errant-[\w-]+)?/master\.info": "the server's own: with what it replicates",
    r"/var/lib/rabbitmq/\.erlang\.cookie": "the cookie",
    r"/run/backstay/rabbitmq/account": "the probe's account, for the monitors that log in with it",
}
CONFIGURATION_CHANGED = re.compile(r"pacemaker-based.*: (\+\+|\+|--) |pacemaker-controld .*\(abort_transition_graph\)")

# Path below / -> owner, group, mode; the first that fits. Everything of ours in /run, and what we make elsewhere.
OWNED = {
    r"/run/backstay": ("root", "root", 0o755),
    r"/run/backstay/rabbitmq\.conf\.d": ("root", "root", 0o755),
    r"/run/backstay/rabbitmq\.conf\.d/z-backstay\.conf": ("root", "rabbitmq", 0o640),
    r"/run/backstay/[\w-]+": ("root", "root", 0o700),
    r"/run/backstay/[\w-]+/reader\.log": ("root", "root", 0o640),
    r"/run/backstay/[\w-]+/rebuild-log": ("root", "root", 0o640),
    r"/run/backstay/[\w-]+/.*": ("root", "root", 0o600),
    r"/run/mysqld": ("mysql", "mysql", 0o755),
    r"/var/lib/rabbitmq/\.erlang\.cookie": ("rabbitmq", "rabbitmq", 0o400),
    r"/var/lib/mysql(\.errant-[\w-]+)?": ("mysql", "mysql", None),
    r"/var/lib/mysql(\.errant-[\w-]+)?/backstay-epoch": ("root", "root", None),
    r"/var/lib/mysql\.rebuild": ("mysql", "mysql", 0o700),
}
LISTING = r"""
find /run/backstay /run/mysqld /var/lib/mysql* /var/lib/rabbitmq/.erlang.cookie -maxdepth 3 \
    \( -path '/run/*' -o -name 'mysql*' -o -name backstay-epoch -o -name .erlang.cookie \) -printf '%p %u %g %m %y\n'
"""


class Plane:
    """The lab, and the secrets that its cluster was configured with: name of the parameter -> text."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.service = ControlPlane(lab)
        self.marks = {
            str(pair.get("name")): str(pair.get("value"))
            for pair in self.cib().iterfind("configuration//nvpair")
            if str(pair.get("value")).startswith(BEGINNING)
        }
        self.marks["the probe's password"] = derived_password(self.marks["cookie"], "probe of rabbitmq")

    def cib(self) -> Any:
        return etree.fromstring(self.lab.run("n1", ["cibadmin", "--query"]).out.encode())

    def configure(self, name: str, value: str) -> None:
        """Change a parameter's value as something does that keeps it off command lines."""
        [pair] = [one for one in self.cib().iterfind("configuration//nvpair") if one.get("name") == name]
        pair.set("value", value)
        text = etree.tostring(pair, with_tail=False).decode()
        self.lab.run("n1", ["cibadmin", "--modify", "--xml-pipe"], input=text)
        self.marks[f"{name}, later"] = value


def mark(*_: int) -> str:
    return BEGINNING + os.urandom(9).hex()


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "token_hex", mark)  # whence the lab has its passwords
        lab = Lab.up(str(tmp_path_factory.mktemp("exposed") / "lab"), topology=topology("openstack"))
    yield Plane(lab)
    lab.down()


def by_hand(lab: Lab, node: str, agent: str, action: str, **parameters: str) -> str:
    """What an agent says when it is run as Pacemaker does, with other parameters."""
    given = {
        "OCF_ROOT": "/usr/lib/ocf",
        "OCF_RESOURCE_INSTANCE": agent,
        "OCF_CHECK_LEVEL": "10",
        "OCF_RESKEY_CRM_meta_interval": "60000",
        "OCF_RESKEY_CRM_meta_timeout": "20000",
        "OCF_RESKEY_CRM_meta_on_node": node,
        **{f"OCF_RESKEY_{name}": value for name, value in parameters.items()},
    }
    lines = [f"export {name}='{value}'" for name, value in given.items()]
    script = "\n".join([*lines, f"exec /usr/lib/ocf/resource.d/backstay/{agent} {action} 2>&1"])
    return lab.run(node, ["sh"], input=script, check=False, timeout=60).out


def live(plane: Plane, sampler: Sampler) -> dict[str, str]:
    """Everything in which the agents handle secrets; what they and the admin's commands said."""
    lab, mysql, rabbitmq = plane.lab, plane.system.mysql, plane.system.rabbitmq
    plane.system.wait_whole(120)
    lab.run("n1", ["crm", "resource", "param", "mysql", "set", "rebuild", "auto"])
    for name in ("replication_password", "monitor_password"):
        text = mark()
        sampler.add(f"{name}, later", text)
        plane.configure(name, text)
        plane.system.wait_whole(120)

    first = mysql.primary()
    lab.fault("kill", first, "mysql")
    poll(lambda: mysql.in_role("Promoted") not in ([], [first]), Deadline(60), "another primary")
    mysql.cleanup(first)
    plane.system.wait_whole(120)
    lost = rabbitmq.promoted()
    lab.fault("kill", lost, "rabbitmq")
    poll(lambda: rabbitmq.in_role("Promoted") not in ([], [lost]), Deadline(60), "another coordinator")
    rabbitmq.cleanup(lost)
    plane.system.wait_whole(180)

    primary = mysql.primary()
    replica = next(node for node in lab.nodes if node != primary)
    mysql.root(primary, "CREATE TABLE app.ours (id INT PRIMARY KEY)")
    granted = "SHOW GRANTS FOR backstay_replication@'%'"
    poll(lambda: "SELECT" in mysql.root(primary, granted), Deadline(40), "the account to be able to copy")
    mysql.root(replica, "SET GLOBAL read_only = 0; STOP SLAVE; INSERT INTO app.ours VALUES (1000000)")
    kept = ["sh", "-c", "ls -d /var/lib/mysql.errant-* 2>/dev/null || true"]
    poll(lambda: lab.run(replica, kept).out.strip(), Deadline(120), "the old data to be moved aside")
    mysql.cleanup(replica)
    plane.system.wait_whole(120)

    wrong = mark()
    sampler.add("a wrong password", wrong)
    plane.marks["a wrong password"] = wrong
    parameters = {"config": "/etc/mysql/backstay.cnf", "datadir": lab.data("/var/lib/mysql")}
    given = {**parameters, "monitor_password": wrong, "replication_password": wrong, "agent_password": wrong}
    said = {
        "mysql by hand": by_hand(lab, replica, "mysql", "monitor", **given, agent_user="nobody"),
        "mysql level 10": by_hand(lab, replica, "mysql", "validate-all", **given),
        "rabbitmq by hand": by_hand(lab, replica, "rabbitmq", "monitor", probe_password=wrong, cookie=wrong),
        "rabbitmq level 10": by_hand(lab, replica, "rabbitmq", "validate-all", probe_password=wrong, cookie=wrong),
    }
    assert "refuses nobody" in said["mysql by hand"], said
    for words in (["status"], ["doctor"], ["explain"], ["status", "--json"], ["doctor", "--json"]):
        done = lab.run(replica, ["backstay", *words], timeout=120, check=False)
        said[" ".join(words)] = done.out + done.err
    return said


def told(plane: Plane) -> dict[str, str]:
    """What the cluster shows to whoever may ask for its status."""
    found = {"crm_mon": plane.lab.run("n1", ["crm_mon", "-1", "--output-as=xml"]).out}
    found["status"] = etree.tostring(plane.cib().find("status")).decode()
    for name in ("mysql-state", "mysql-lag", "rabbitmq-data", "rabbitmq-leaving"):
        asked = plane.lab.run("n1", ["attrd_updater", "--query", "--all", "--name", name], check=False)
        found[name] = asked.out + asked.err
    found["properties"] = plane.lab.run("n1", ["cibadmin", "--query", "--scope", "crm_config"]).out
    return found


def improper(hit: Hit) -> str:
    """Why a mark must not be in that file, "" when it may."""
    if hit.others:
        return "all can read it"
    if not any(re.match(pattern, hit.path) for pattern in LEGITIMATE):
        return "no secret belongs there"
    if hit.path.endswith("pacemaker.log"):
        strange = [line for line in hit.lines if not CONFIGURATION_CHANGED.search(line)]
        return f"not a change of the configuration: {strange[0]}" if strange else ""
    return ""


def test_no_secret_comes_to_light(plane: Plane) -> None:
    with Sampler(plane.lab, plane.marks) as sampler:
        said = live(plane, sampler)
    assert sampler.looks > 500
    assert not [one for one in sampler.seen if one.what == "arguments"]
    environments = [one for one in sampler.seen if one.what == "environment"]
    assert {one.mark for one in environments} >= {"monitor_password", "cookie"}, "the sampler saw no agent at all"
    assert not [one for one in environments if one.user != 0 or not AGENT.search(one.program)]

    for where, text in {**said, **told(plane)}.items():
        assert not [name for name, value in plane.marks.items() if value in text], where
    hits = [hit for node in plane.lab.nodes for hit in files(plane.lab, node, plane.marks)]
    assert any(hit.path.startswith("/var/lib/pacemaker/cib/") for hit in hits), "the search found nothing at all"
    wrong = [
        f"{hit.node}:{hit.path} {sorted(hit.marks)} {hit.mode:o}: {improper(hit)}" for hit in hits if improper(hit)
    ]
    assert not wrong, "\n".join(wrong)


def test_our_files_and_sockets_have_owner_and_mode(plane: Plane) -> None:
    fitted = set()
    wrong = []
    for node in plane.lab.nodes:
        for line in plane.lab.run(node, ["sh", "-c", LISTING]).out.splitlines():
            path, user, group, mode, kind = line.split()
            rule = next((rule for rule in OWNED if re.fullmatch(rule, path)), None)
            if rule is None or kind == "l":
                continue
            fitted.add(rule)
            wanted = OWNED[rule]
            private = (
                path.startswith("/run/backstay/") and kind == "s"
            )  # HAProxy makes it, in a directory for root alone
            if (user, group) != wanted[:2] or (wanted[2] not in (None, int(mode, 8)) and not private):
                wrong.append(f"{node}: {line}")
            if path.startswith("/var/lib/mysql") and int(mode, 8) & 0o002:
                wrong.append(f"{node}: {line} can be written by all")
    assert not wrong, "\n".join(wrong)
    assert fitted >= {rule for rule in OWNED if "rebuild" not in rule and "log" not in rule}, set(OWNED) - fitted


def test_a_secret_kept_outside_is_in_its_file_alone(plane: Plane) -> None:
    """As cibsecret keeps it: the configuration says lrm://, the node's own Pacemaker fills it in."""
    lab, text = plane.lab, mark()
    plane.system.wait_whole(120)
    keep = r"""
    umask 077; read -r text; mkdir -p /var/lib/pacemaker/lrm/secrets/mysql; cd /var/lib/pacemaker/lrm/secrets/mysql
    echo "$text" > replication_password; printf %s "$text" | md5sum | cut -d' ' -f1 > replication_password.sign
    """
    for node in lab.nodes:
        lab.run(node, ["sh", "-ec", keep], input=f"{text}\n")
    with Sampler(lab, {"kept": text}) as sampler:
        plane.configure("replication_password", "lrm://")
        plane.system.wait_whole(120)
        first = plane.system.mysql.primary()
        lab.fault("kill", first, "mysql")
        poll(lambda: plane.system.mysql.in_role("Promoted") not in ([], [first]), Deadline(60), "another primary")
        plane.system.mysql.cleanup(first)
        plane.system.wait_whole(120)
    assert sampler.seen and all(one.what == "environment" and AGENT.search(one.program) for one in sampler.seen)
    kept = r"/var/lib/pacemaker/lrm/secrets/mysql/replication_password|/var/lib/mysql/master\.info"
    hits = [hit for node in lab.nodes for hit in files(lab, node, {"kept": text})]
    assert len({hit.path for hit in hits}) == 2, hits
    assert not [hit for hit in hits if hit.others or not re.fullmatch(kept, hit.path)]
    said = lab.run(first, ["backstay", "doctor"], timeout=120, check=False).out
    assert "monitor_password stands in" in said and "replication_password stands in" not in said


def test_a_wiped_run_moves_neither_primary_nor_address_nor_broker(plane: Plane) -> None:
    """The balancers lose their master sockets, and are restarted in place."""
    lab = plane.lab
    plane.system.wait_whole(120)
    roles, facts = lab.roles(), plane.system.mysql.facts()
    processes = ["pgrep", "-x", "-d", " ", "mariadbd|beam.smp"]
    before = {node: lab.run(node, processes).out for node in lab.nodes}
    for node in lab.nodes:
        lab.run(node, ["sh", "-c", "rm -rf /run/backstay/*"])
    there = "for name in mysql/verdict rabbitmq/verdict haproxy/verdict; do [ -s /run/backstay/$name ] || exit 1; done"
    for node in lab.nodes:
        look = ["sh", "-c", there]
        poll(lambda node=node, look=look: lab.run(node, look, check=False).status == 0, Deadline(60), "watchers")  # type: ignore[misc]
    lab.run("n1", ["crm_resource", "--cleanup"])
    plane.system.wait_whole(120)
    assert {node: lab.run(node, processes).out for node in lab.nodes} == before
    assert plane.system.mysql.facts() == facts
    for name in ("mysql", "rabbitmq", "mysql-writer"):
        assert {node: held.get(name) for node, held in lab.roles().items()} == {
            n: held.get(name) for n, held in roles.items()
        }
