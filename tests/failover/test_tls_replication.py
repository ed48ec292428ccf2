"""`tls_ca` on a real cluster: everything between the nodes goes over verified TLS. What cannot be verified is refused in
tests/contract/test_tls.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backstay.deadline import Deadline, poll
from backstay.lab.cluster import Lab
from backstay.lab.mysql import CONFIG, WRITER
from backstay.rehearse.mysqlset import MysqlSet

pytestmark = [pytest.mark.lab, pytest.mark.slow]

PLACE = "/etc/mysql/tls"
# An authority; for each node a certificate with its name and the writer address.
MAKE = r"""
place=$1 writer=$2; shift 2
mkdir -p $place; cd $place
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=ca" -keyout ca.key -out ca.pem 2>/dev/null
for node; do
    openssl req -newkey rsa:2048 -nodes -subj /CN=server -keyout $node.key -out $node.csr 2>/dev/null
    printf "subjectAltName=DNS:$node,IP:$writer" > $node.ext
    openssl x509 -req -in $node.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile $node.ext -out $node.pem 2>/dev/null
done
"""
ERRANT = "ls -d /var/lib/mysql.errant-* 2>/dev/null || true"


@pytest.fixture
def mysql(tmp_path: Path) -> Iterator[MysqlSet]:
    lab = Lab.up(str(tmp_path / "lab"), nodes=2, topology="mysql")
    lab.run("n1", ["crm", "resource", "param", "mysql", "set", "rebuild", "auto"])
    lab.run("n1", ["sh", "-ec", MAKE, "sh", PLACE, WRITER, *lab.nodes])
    options = lab.run("n1", ["cat", CONFIG]).out
    for node in lab.nodes:
        lab.put(node, f"{PLACE}/ca.pem", lab.run("n1", ["cat", f"{PLACE}/ca.pem"]).out)
        serve(lab, node, node)
        tls = f"[mysqld]\nssl-cert = {PLACE}/server.pem\nssl-key = {PLACE}/server.key\n"
        lab.put(node, CONFIG, options.replace("[mysqld]\n", tls))
    lab.run("n1", ["crm_resource", "-r", "mysql", "-p", "tls_ca", "-v", f"{PLACE}/ca.pem"])
    yield MysqlSet(lab)
    lab.down()


def serve(lab: Lab, node: str, certificate: str) -> None:
    """Have the node's server, once it reads its files anew, show this certificate."""
    for end in ("pem", "key"):
        lab.put(node, f"{PLACE}/server.{end}", lab.run("n1", ["cat", f"{PLACE}/{certificate}.{end}"]).out)
    lab.run(node, ["chown", "mysql", f"{PLACE}/server.key"])


def offers(lab: Lab, node: str) -> bool:
    """Whether the node's server has been restarted with its certificate."""
    asked = ["mysql", "--batch", "--execute", "SHOW VARIABLES LIKE 'ssl_cert'"]
    return PLACE in lab.run(node, asked, check=False).out


def test_replication_by_verified_tls_survives_failover_and_rebuild(mysql: MysqlSet) -> None:
    lab = mysql.lab
    for node in lab.nodes:
        poll(lambda node=node: offers(lab, node), Deadline(90), "a server with the certificate")  # type: ignore[misc]
    mysql.wait_whole(120)
    primary = mysql.primary()
    for account in ("backstay_monitor", "backstay_replication"):
        mysql.root(primary, f"ALTER USER {account}@'%' REQUIRE SSL")
    mysql.wait_whole(60)
    lab.fault("kill", primary, "mysql")
    [second] = [node for node in lab.nodes if node != primary]
    poll(lambda: mysql.in_role("Promoted") == [second], Deadline(60), "the other to be promoted")
    mysql.cleanup(primary)
    mysql.wait_whole(120)

    mysql.root(second, "CREATE TABLE app.ours (id INT PRIMARY KEY)")
    granted = "SHOW GRANTS FOR backstay_replication@'%'"
    poll(lambda: "SELECT" in mysql.root(second, granted), Deadline(40), "the account to be able to copy")
    mysql.root(primary, "SET GLOBAL read_only = 0; STOP SLAVE; INSERT INTO app.ours VALUES (1000000)")
    poll(lambda: lab.run(primary, ["sh", "-c", ERRANT]).out.strip(), Deadline(120), "the old data to be moved aside")
    mysql.cleanup(primary)
    mysql.wait_whole(120)
