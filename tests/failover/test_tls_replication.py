"""`tls_ca` on real clusters of both families: everything between the nodes goes over verified TLS, and an authority or a
certificate that would refuse the next connection is named while the last one still stands."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backstay.host.deadline import Deadline, poll
from backstay_lab.machines.cluster import Lab
from backstay_lab.systems.catalogue import topology
from backstay_lab.systems.mysql.deploy import CONFIG, WRITER
from backstay_lab.systems.mysql.workload import MysqlSet

pytestmark = pytest.mark.slow

PLACE = "/etc/mysql/tls"
# Two authorities of the same name; for each node a certificate with its name and the writer address, and one with its name alone.
MAKE = r"""
place=$1 writer=$2; shift 2
mkdir -p $place; cd $place
for ca in good other; do
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=ca" -keyout $ca.key -out $ca.pem 2>/dev/null
done
certificate() {
    openssl req -newkey rsa:2048 -nodes -subj /CN=server -keyout $1.key -out $1.csr 2>/dev/null
    printf "subjectAltName=$2" > $1.ext
    openssl x509 -req -in $1.csr -CA good.pem -CAkey good.key -CAcreateserial -days 2 -extfile $1.ext -out $1.pem 2>/dev/null
}
for node; do
    certificate $node DNS:$node,IP:$writer
    certificate $node-alone DNS:$node
done
"""
ERRANT = "ls -d /var/lib/mysql.errant-* 2>/dev/null || true"
# What the families call the same. Without ssl_ca MySQL reads its files anew and calls them invalid.
STATEMENTS = {
    "bookworm": {"stop": "STOP SLAVE", "reload": "FLUSH SSL", "open": "SET GLOBAL read_only = 0", "more": ""},
    "sid": {
        "stop": "STOP REPLICA",
        "reload": "ALTER INSTANCE RELOAD TLS",
        "open": "SET GLOBAL super_read_only = 0",
        "more": f"ssl-ca = {PLACE}/good.pem\n",
    },
}
DUMPS = "SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'"


class TlsSet(MysqlSet):
    """image: the lab's. said: name -> statement of its family."""

    def __init__(self, lab: Lab, image: str) -> None:
        super().__init__(lab)
        self.said = STATEMENTS[image]

    def file(self, name: str) -> str:
        """One that was made on the first node."""
        return self.lab.run("n1", ["cat", f"{PLACE}/{name}"]).out

    def trust(self, node: str, authority: str) -> None:
        """From now on the node's `tls_ca` holds this authority."""
        self.lab.put(node, f"{PLACE}/ca.pem", self.file(f"{authority}.pem"))

    def serve(self, node: str, certificate: str) -> None:
        """Have the node's server, once it reads its files anew, show this certificate."""
        for end in ("pem", "key"):
            self.lab.put(node, f"{PLACE}/server.{end}", self.file(f"{certificate}.{end}"))
        self.lab.run(node, ["chown", "mysql", f"{PLACE}/server.key"])

    def offers(self, node: str) -> bool:
        """Whether the node's server has been restarted with its certificate."""
        asked = ["mysql", "--batch", "--execute", "SHOW VARIABLES LIKE 'ssl_cert'"]
        return PLACE in self.lab.run(node, asked, check=False).out

    def state(self, node: str) -> str:
        """Why the node's instance is not as wanted, "ok" when it is, "" when that was never told."""
        asked = ["attrd_updater", "--query", "--node", node, "--name", "mysql-state"]
        return self.lab.run(node, asked, check=False).out.rpartition("value=")[2].strip().strip('"')

    def wait_state(self, node: str, wanted: str) -> None:
        poll(lambda: self.state(node).startswith(wanted), Deadline(60), f"{node} to say: {wanted}", interval=1.0)

    def part(self, node: str) -> None:
        """End the connections by which others replicate from this node."""
        for thread in self.root(node, DUMPS).split():
            self.lab.run(node, ["mysql", "--execute", f"KILL {thread}"], check=False)


@pytest.fixture(scope="module", params=STATEMENTS)
def mysql(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsSet]:
    directory = str(tmp_path_factory.mktemp("tls") / "lab")
    lab = Lab.up(directory, nodes=2, image=request.param, topology=topology("mysql"))
    lab.run("n1", ["crm", "resource", "param", "mysql", "set", "rebuild", "auto"])
    lab.run("n1", ["sh", "-ec", MAKE, "sh", PLACE, WRITER, *lab.nodes])
    options = lab.run("n1", ["cat", CONFIG]).out
    made = TlsSet(lab, request.param)
    for node in lab.nodes:
        made.trust(node, "good")
        made.serve(node, node)
        lab.put(node, f"{PLACE}/good.pem", made.file("good.pem"))
        tls = f"[mysqld]\nssl-cert = {PLACE}/server.pem\nssl-key = {PLACE}/server.key\n{made.said['more']}"
        lab.put(node, CONFIG, options.replace("[mysqld]\n", tls))
    lab.run("n1", ["crm_resource", "-r", "mysql", "-p", "tls_ca", "-v", f"{PLACE}/ca.pem"])
    for node in lab.nodes:
        poll(lambda node=node: made.offers(node), Deadline(90), "a server with the certificate")  # type: ignore[misc]
    yield made
    lab.down()


def test_replication_by_verified_tls_survives_failover_and_rebuild(mysql: TlsSet) -> None:
    lab = mysql.lab
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
    mysql.root(primary, f"{mysql.said['open']}; {mysql.said['stop']}; INSERT INTO app.ours VALUES (1000000)")
    poll(lambda: lab.run(primary, ["sh", "-c", ERRANT]).out.strip(), Deadline(120), "the old data to be moved aside")
    mysql.cleanup(primary)
    mysql.wait_whole(120)


def test_what_would_refuse_the_next_connection_is_told_before_and_after(mysql: TlsSet) -> None:
    mysql.wait_whole(120)
    primary = mysql.primary()
    [replica] = [node for node in mysql.lab.nodes if node != primary]

    mysql.trust(replica, "other")
    other = f"the server on {WRITER} has no certificate that tls_ca {PLACE}/ca.pem vouches for: "
    mysql.wait_state(replica, other)
    mysql.wait_whole(30)  # the connection that stands goes on
    mysql.part(primary)
    alone = "runs alone: no replica acknowledges"
    mysql.wait_state(primary, alone)  # after degrade_after, and the replica still says why
    mysql.wait_state(replica, other)
    mysql.lab.fault("kill", replica, "mysql")
    mysql.cleanup(replica)
    poll(lambda: mysql.in_role("Unpromoted") == [replica], Deadline(60), "the replica's server to be up")
    mysql.wait_state(replica, other)
    mysql.trust(replica, "good")
    mysql.wait_whole(120)
    mysql.wait_state(replica, "ok")

    # A certificate without the writer address: nodes may be asked by name, and replication, which goes there, is not let in.
    mysql.serve(primary, f"{primary}-alone")
    mysql.root(primary, mysql.said["reload"])
    mysql.part(primary)
    mysql.wait_state(replica, other)
    mysql.serve(primary, primary)
    mysql.root(primary, mysql.said["reload"])
    mysql.wait_whole(120)
    mysql.wait_state(replica, "ok")

    mysql.trust(primary, "other")  # its own certificate, as the other node would see it
    mysql.wait_state(primary, f"the server on {primary} has no certificate that tls_ca {PLACE}/ca.pem vouches for: ")
    mysql.trust(primary, "good")
    mysql.wait_state(primary, "ok")
    assert mysql.primary() == primary
