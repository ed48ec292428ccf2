"""`tls_ca` on real clusters of both families: everything between the nodes goes over verified TLS, and what cannot be verified is
named."""

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
# Two authorities; for each node a certificate with its name and the writer address, and one with its name alone.
MAKE = r"""
place=$1 writer=$2; shift 2
mkdir -p $place; cd $place
for name in good other; do
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$name" -keyout $name.key -out $name.pem 2>/dev/null
done
for node; do
    for kind in "$node DNS:$node,IP:$writer" "$node-alone DNS:$node"; do
        set -- $kind
        openssl req -newkey rsa:2048 -nodes -subj /CN=server -keyout $1.key -out $1.csr 2>/dev/null
        printf "subjectAltName=$2" > $1.ext
        openssl x509 -req -in $1.csr -CA good.pem -CAkey good.key -CAcreateserial -days 2 -extfile $1.ext -out $1.pem 2>/dev/null
    done
done
"""
ERRANT = "ls -d /var/lib/mysql.errant-* 2>/dev/null || true"


@pytest.fixture(params=["bookworm", "sid"])
def mysql(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MysqlSet]:
    lab = Lab.up(str(tmp_path / "lab"), nodes=2, image=request.param, topology="mysql")
    lab.run("n1", ["crm", "resource", "param", "mysql", "set", "rebuild", "auto"])
    lab.run("n1", ["sh", "-ec", MAKE, "sh", PLACE, WRITER, *lab.nodes])
    options = lab.run("n1", ["cat", CONFIG]).out
    for node in lab.nodes:
        for name in ("good.pem", "other.pem", "ca.pem"):
            text = lab.run("n1", ["cat", f"{PLACE}/{name.replace('ca', 'good')}"]).out
            lab.put(node, f"{PLACE}/{name}", text)
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


def states(lab: Lab) -> str:
    """Why each instance is not as wanted."""
    return lab.run("n1", ["attrd_updater", "--query", "--all", "--name", "mysql-state"], check=False).out


def word(mysql: MysqlSet, mariadb: str, oracle: str) -> str:
    return mariadb if "MariaDB" in mysql.root(mysql.lab.nodes[0], "SELECT VERSION()") else oracle


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
    stop = word(mysql, "STOP SLAVE", "STOP REPLICA")
    mysql.root(primary, f"SET GLOBAL read_only = 0; {stop}; INSERT INTO app.ours VALUES (1000000)")
    poll(lambda: lab.run(primary, ["sh", "-c", ERRANT]).out.strip(), Deadline(120), "the old data to be moved aside")
    mysql.cleanup(primary)
    mysql.wait_whole(120)

    # Another authority on the replica's side: it trusts nobody, joins nobody, and says why.
    lab.put(primary, f"{PLACE}/ca.pem", lab.run("n1", ["cat", f"{PLACE}/other.pem"]).out)
    lab.fault("kill", primary, "mysql")
    mysql.cleanup(primary)
    wrong = f"the server on {second} has no certificate that tls_ca {PLACE}/ca.pem vouches for"
    poll(lambda: wrong in states(lab), Deadline(90), "the wrong authority to be named")
    lab.put(primary, f"{PLACE}/ca.pem", lab.run("n1", ["cat", f"{PLACE}/good.pem"]).out)
    mysql.cleanup(primary)
    mysql.wait_whole(120)

    # A certificate without the writer address: nodes may be asked by name, and replication, which goes there, is not let in.
    serve(lab, second, f"{second}-alone")
    mysql.root(second, word(mysql, "FLUSH SSL", "ALTER INSTANCE RELOAD TLS"))
    again = word(
        mysql, "STOP SLAVE IO_THREAD; START SLAVE IO_THREAD", "STOP REPLICA IO_THREAD; START REPLICA IO_THREAD"
    )
    mysql.root(primary, again)
    poll(lambda: "receiver distrusts its source" in states(lab), Deadline(60), "the wrong name to be told")
    serve(lab, second, second)
    mysql.root(second, word(mysql, "FLUSH SSL", "ALTER INSTANCE RELOAD TLS"))
    mysql.wait_whole(120)
