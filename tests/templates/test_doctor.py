"""Mistakes planted in the configuration and on the host: doctor finds each, its remedy is carried out, and it is gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.conftest import Chamber  # type: ignore[import-not-found]
from tests.templates.test_mysql_template import FENCING, cib  # type: ignore[import-not-found]
from tests.templates.test_render_formats import ASKS, BEFORE, values_for  # type: ignore[import-not-found]

from backstay.admin.render import rendered
from backstay.admin.templates import names

NODES = ["n1", "n2", "n3"]
MEMBER = "    node {\n        nodeid: 1\n        name: n1\n        ring0_addr: n1\n    }\n"
COROSYNC = """totem {
    version: 2
    token: 1000
    token_coefficient: 0
    token_retransmits_before_loss_const: 10
    interface {
        linknumber: 0
        knet_ping_interval: 250
        knet_ping_timeout: 3000
    }
}
nodelist {
MEMBERS}
quorum {
    provider: corosync_votequorum
}
"""
COROSYNC = COROSYNC.replace("MEMBERS", "".join(MEMBER.replace("1", str(n)) for n in (1, 2, 3)))
HOSTS = "127.0.0.1 localhost\n10.77.0.11 n1\n10.77.0.12 n2\n10.77.0.13 n3\n"
MORE = ["mysql-readers", "haproxy"]  # beside the set itself
SERVER = "/etc/mysql/mariadb.conf.d/50-server.cnf"
SECRETS = "/var/lib/pacemaker/lrm/secrets/mysql"


class Mistake(NamedTuple):
    """plant: shell. part: of the finding's sentence. remedy: shell that does what the finding says, where it is not a
    command itself."""

    name: str
    plant: str
    part: str
    remedy: str = ""


def meta(name: str, value: str, resource: str = "mysql") -> str:
    return f"crm_resource -r {resource} --meta -p {name} -v {value}"


def without(constraint: str) -> str:
    return f"cibadmin --delete --xpath \"//*[@id='{constraint}']\""


def corosync(old: str, new: str) -> str:
    return f"sed -i 's/{old}/{new}/' /etc/corosync/corosync.conf"


MISTAKES = [
    Mistake("fencing off", "crm_attribute -n stonith-enabled -v false", "fencing is off"),
    Mistake(
        "a node without fencing",
        "crm_resource -r fencing -p pcmk_host_list -v 'n1 n2'",
        "no fence device is for n3",
        "crm_resource -r fencing -p pcmk_host_list -v 'n1 n2 n3'",
    ),
    Mistake("quorum ignored", "crm_attribute -n no-quorum-policy -v ignore", "no-quorum-policy=ignore"),
    Mistake("load-threshold", "crm_attribute -n load-threshold -D", "load-threshold is not set"),
    Mistake("maintenance", "crm_attribute -n maintenance-mode -v true", "maintenance mode"),
    Mistake("migration-threshold", meta("migration-threshold", "3"), "migration-threshold is not 1"),
    Mistake("failure-timeout", meta("failure-timeout", "10s"), "failure-timeout=10s is not longer"),
    Mistake(
        "an address that stays failed",
        "crm_resource -r mysql-writer --meta -d failure-timeout",
        "has no failure-timeout: one failure",
    ),
    Mistake("notify", meta("notify", "true", "mysql-clone"), "notify=true"),
    Mistake("stickiness", meta("resource-stickiness", "1000", "mysql-clone"), "resource-stickiness=1000"),
    Mistake("clone-max", meta("clone-max", "2", "mysql-clone"), "clone-max=2 and 3 nodes"),
    Mistake("no colocation", without("mysql-writer-with-primary"), "not bound to the promoted mysql-clone"),
    Mistake("no order", without("mysql-promote-then-writer"), "may start before the promotion"),
    Mistake("no second order", without("mysql-demote-then-writer"), "may stop before the demotion"),
    Mistake(
        "a short timeout",
        'cibadmin -M -X \'<op id="mysql-start-0" timeout="20s"/>\'',
        "start has a timeout of 20 s, and may need 120 s",
    ),
    Mistake(
        "a secret in clear",
        "crm_resource -r mysql -p monitor_password -v s3cret",
        "monitor_password stands in the cluster's configuration in clear",
        "crm_resource -r mysql -p monitor_password -v lrm://",  # what cibsecret does, beside copying the file by ssh
    ),
    Mistake("a leftover", "crm_resource -r mysql-clone --ban -N n1 2> /dev/null", "is left from a move or ban"),
    Mistake(
        "token_coefficient",
        corosync("token_coefficient: 0", ""),
        "token_coefficient adds 650 ms",
        corosync("token: 1000", "token: 1000\\n token_coefficient: 0"),
    ),
    Mistake(
        "consensus",
        corosync("token: 1000", "token: 1000\\n consensus: 9000"),
        "noticed only after 10 s",
        corosync(" consensus: 9000", ""),
    ),
    Mistake(
        "few retransmits",
        corosync("    token_retransmits_before_loss_const: 10", ""),
        "the token is sent again 4 times",
        corosync("token: 1000", "token: 1000\\n token_retransmits_before_loss_const: 10"),
    ),
    Mistake(
        "a link given up early",
        corosync("knet_ping_timeout: 3000", "knet_ping_timeout: 500"),
        "the only link counts as down after 500 ms",
        corosync("knet_ping_timeout: 500", "knet_ping_timeout: 3000"),
    ),
    Mistake(
        "two_node",
        corosync("provider:", "two_node: 1\\n provider:"),
        "two_node is set for 3 nodes",
        corosync("two_node: 1", ""),
    ),
    Mistake("a name", "sed -i /n2/d /etc/hosts", "the name n2 does not resolve", "echo 10.77.0.12 n2 >> /etc/hosts"),
    Mistake(
        "a name that loops",
        "sed -i 's/.* n3/127.0.0.1 n3/' /etc/hosts",
        "n3 of another node resolves to this machine's loopback",
        "sed -i 's/.* n3/10.77.0.13 n3/' /etc/hosts",
    ),
    Mistake(
        "no PyMySQL",
        "mv /usr/lib/python3/dist-packages/pymysql /root/",
        "the Python module pymysql is not installed",
        "mv /root/pymysql /usr/lib/python3/dist-packages/",  # there is no archive to install it from in here
    ),
    Mistake(
        "no corosync.conf",
        "mv /etc/corosync/corosync.conf /root/",
        "there is no /etc/corosync/corosync.conf",
        "cp /root/corosync.conf /etc/corosync/",
    ),
    Mistake(
        "the network",
        "ip addr del 10.77.0.11/24 dev eth0",
        "no interface here is in the network of 10.77.0.100",
        "ip addr add 10.77.0.11/24 dev eth0",
    ),
    Mistake(
        "a node without room", "crm_attribute --utilization -N n2 -n reader -D", "n2 without room for mysql-reader-1"
    ),
    Mistake(
        "no room at all",
        "for node in n1 n2 n3; do crm_attribute --utilization -N $node -n reader -D; done",
        "(utilization reader=2): they stay stopped",
    ),
    Mistake("placement-strategy", "crm_attribute -n placement-strategy -D", "placement-strategy is not set"),
    Mistake(
        "HAProxy's configuration",
        "sed -i 's/mode.*http/mode httb/' /etc/haproxy/haproxy.cfg",
        "unknown proxy mode 'httb'",
        "sed -i 's/httb/http/' /etc/haproxy/haproxy.cfg",
    ),
    Mistake(
        "a service beside the cluster's",
        "mkdir -p /run/systemd/system /etc/systemd/system/multi-user.target.wants\n"
        "ln -sf /lib/systemd/system/haproxy.service /etc/systemd/system/multi-user.target.wants/",
        "haproxy starts at boot",
        "rm /etc/systemd/system/multi-user.target.wants/haproxy.service",  # what systemctl does, and nothing here has it
    ),
    Mistake(
        "Pacemaker ends with one of its processes",
        "mkdir -p /run/systemd/system; cp systemctl /usr/local/sbin/; chmod +x /usr/local/sbin/systemctl",
        "pacemaker.service has OOMPolicy=stop",
    ),
    Mistake(
        "too few descriptors",
        "mkdir -p /run/systemd/system /etc/systemd/system/pacemaker.service.d\n"
        "cp systemctl /usr/local/sbin/; chmod +x /usr/local/sbin/systemctl\n"
        "printf '[Service]\\nOOMPolicy=continue\\nLimitNOFILE=4096\\n' > /etc/systemd/system/pacemaker.service.d/few.conf",
        "pacemaker.service has LimitNOFILE=4096",
        "printf '[Service]\\nLimitNOFILE=32768\\n' > /etc/systemd/system/pacemaker.service.d/files.conf",  # and a restart
    ),
    Mistake(
        "a denial",
        "mkdir -p /var/log/audit; printf '%s\\n' 'type=AVC msg=audit('$(date +%s)'.1:5): apparmor=\"DENIED\" operation=\"open\" "
        'profile="/usr/sbin/mysqld" name="/srv/db/ibdata1" pid=7 comm="mariadbd" requested_mask="rw" denied_mask="rw"\' '
        "> /var/log/audit/audit.log",
        "AppArmor keeps mariadbd from /srv/db/ibdata1 (open)",
        "sed -i 's/audit(./audit(0/' /var/log/audit/audit.log",  # it is allowed, and time has passed
    ),
    Mistake(
        "a disk that is not mounted",
        "mkdir -p /root/disk /srv/db; cp -a /var/lib/mysql /root/disk/data\n"
        "echo '/root/disk /srv/db none bind 0 0' >> /etc/fstab\n"
        "crm_resource -r mysql -p datadir -v /srv/db/data",
        "is on /srv/db, which is to be mounted by /etc/fstab and is not",
    ),
    Mistake(
        "a server that stays failed",
        "crm_resource -r mysql --meta -d failure-timeout",
        "has no failure-timeout: one failure",
    ),
    Mistake(
        "an address of the server that the other nodes do not reach, as in Debian's own file",
        f"sed -i 's/^bind-address.*/bind-address = 127.0.0.1/' {SERVER}",
        "bind-address=127.0.0.1: no other node and no replica reaches the server",
        f"sed -i 's/^bind-address.*/bind-address = */' {SERVER}",
    ),
    Mistake(
        "a filter in a group of one version",
        f"printf '[mariadb-10.11]\\nbinlog-ignore-db = logs\\n' >> {SERVER}",
        "binlog-ignore-db=logs: this database is in no binary log",
        f"sed -i /binlog-ignore-db/d {SERVER}",
    ),
    Mistake(
        "the data directory",
        "crm_resource -r mysql -p datadir -v /srv/empty; mkdir -p /srv/empty",
        "holds no database",
        "crm_resource -r mysql -p initialize -v true",
    ),
]

# As systemd answers, which does not run in here.
SYSTEMCTL = """#!/bin/sh
grep -qsx OOMPolicy=continue /etc/systemd/system/pacemaker.service.d/*.conf && echo OOMPolicy=continue || echo OOMPolicy=stop
cat /etc/systemd/system/pacemaker.service.d/*.conf 2>/dev/null | grep LimitNOFILE | sort -t= -k2 -n | tail -n 1
"""

# Runs in the chamber. Each mistake meets the same whole configuration.
DRIVER = """
import json, os, shutil, subprocess
KEPT = ["/work/cib.xml", "/etc/hosts", "/etc/corosync/corosync.conf", "/etc/mysql/mariadb.conf.d/50-server.cnf"]
for path in KEPT:
    shutil.copy(path, "/root/kept-" + os.path.basename(path))

def doctor():
    code = "from backstay.admin.cli import main; main()"
    done = subprocess.run(["python3", "-c", code, "doctor", "--json"], capture_output=True, text=True)
    assert done.returncode in (0, 1, 2) and done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["findings"]

def sh(script):
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
    return done.stdout + done.stderr

results = {"baseline": doctor()}
for mistake in json.load(open("mistakes.json")):
    for path in KEPT:
        shutil.copy("/root/kept-" + os.path.basename(path), path)
    if os.path.exists("/work/cib.xml.sig"):
        os.unlink("/work/cib.xml.sig")
    said = sh(mistake["plant"])
    status, before = doctor()
    found = [one for one in before if mistake["part"] in one["what"]]
    if found:
        said += sh(mistake["remedy"] or found[0]["remedy"])
    results[mistake["name"]] = {"found": found, "status": status, "said": said, "after": doctor()[1]}
print(json.dumps(results))
"""


def test_every_planted_mistake_is_found_and_its_remedy_works(chamber: Chamber, tmp_path: Path) -> None:
    values = {"writer_ip": "10.77.0.100", "nodes": "3", "monitor_password": "lrm://", "replication_password": "lrm://"}
    (tmp_path / "cib.xml").write_text(cib(NODES))
    for topology in MORE:
        (tmp_path / f"{topology}.crm").write_text(rendered(topology, values_for(topology), "crm"))
    (tmp_path / "t.crm").write_text(FENCING.format(nodes=" ".join(NODES)) + rendered("mysql", values, "crm"))
    (tmp_path / "corosync.conf").write_text(COROSYNC)
    (tmp_path / "hosts").write_text(HOSTS)
    (tmp_path / "mistakes.json").write_text(json.dumps([one._asdict() for one in MISTAKES]))
    (tmp_path / "driver.py").write_text(DRIVER)
    (tmp_path / "systemctl").write_text(SYSTEMCTL)
    said = chamber(
        f"""
        ip link add eth0 type bridge; ip addr add 10.77.0.11/24 dev eth0; ip link set lo up; ip link set eth0 up
        cp hosts /etc/hosts; cp corosync.conf /etc/corosync/
        install -d -m 700 {SECRETS}; echo m0n > {SECRETS}/monitor_password; echo r3p > {SECRETS}/replication_password
        sed -i 's/^bind-address.*/bind-address = */' {SERVER}
        rm -f /etc/systemd/system/*.wants/*  # the packages have enabled their services, as on a new machine
        for topology in t {" ".join(MORE)}; do crm configure load update $topology.crm >&2; done
        for node in {" ".join(NODES)}; do crm_attribute --utilization -N $node -n reader -v 2; done
        python3 driver.py
        """,
        timeout=900,
    )
    results = json.loads(said.out)
    _, baseline = results.pop("baseline")
    expected = {finding["what"] for finding in baseline}
    # No cluster runs here to be asked for its clock's keeper or its past; nothing else is wrong.
    assert [one["what"] for one in baseline if "clock" not in one["what"]] == []
    assert len(results) == len(MISTAKES) >= 15
    for mistake in MISTAKES:
        result = results[mistake.name]
        assert result["found"], (mistake.name, result)
        assert all(one["remedy"] for one in result["found"])
        assert result["status"] == (2 if any(one["level"] == "error" for one in result["found"]) else 1), mistake.name
        assert {one["what"] for one in result["after"]} <= expected, (mistake.name, result)


@pytest.mark.parametrize("topology", names())
def test_it_has_nothing_against_what_render_writes(chamber: Chamber, tmp_path: Path, topology: str) -> None:
    (tmp_path / "cib.xml").write_text(cib(NODES))
    before = "".join(
        rendered(other, {**values_for(other), **ASKS.get(topology, {})}, "crm") for other in BEFORE.get(topology, [])
    )
    (tmp_path / "before.crm").write_text(FENCING.format(nodes=" ".join(NODES)) + before)
    (tmp_path / "t.crm").write_text(rendered(topology, values_for(topology), "crm"))
    load = "crm -F configure load update before.crm >&2; crm configure load update t.crm >&2"
    code = "from backstay.admin.cli import main; main()"
    said = chamber(f"{load}; python3 -c '{code}' doctor --json || true", timeout=120)
    # Errors are about this host and its nodes, which nobody prepared; secrets are in clear, and the clock has no keeper here.
    warnings = [one["what"] for one in json.loads(said.out)["findings"] if one["level"] == "warning"]
    assert [one for one in warnings if "in clear" not in one and "clock" not in one] == []
