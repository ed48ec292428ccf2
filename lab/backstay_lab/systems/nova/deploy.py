"""Topology `nova`: that of `openstack`, and on the lab's client OpenStack's own services from Debian's packages, with a
hypervisor that pretends (nova's fake driver). What neutron would be asked is answered by clients.networks: there are none."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from backstay.host.deadline import Deadline, poll
from backstay_lab.clients.rest import GLANCE, KEYSTONE, NETWORKS, NOVA, PLACEMENT
from backstay_lab.machines.layout import CLIENT
from backstay_lab.systems.mysql import deploy as mysql
from backstay_lab.systems.nova import settings
from backstay_lab.systems.nova.settings import DATABASES, LOGS, STATE, Plane
from backstay_lab.systems.openstack.deploy import openstack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backstay_lab.machines.cluster import Lab

RUN = "/run/openstack-lab"  # NAME.pid of each service
SYNC_TIMEOUT = 600.0  # seconds to make the tables of one database; 10 to 20
UP_TIMEOUT = 300.0  # seconds for nova's services to report themselves; about 20
START = """
mkdir -p "$1"
name=$2 directory=$1 log=$3
shift 3
setsid sh -c 'echo $$ > "$0"; exec "$@"' "$directory/$name.pid" "$@" > "$log/$name.out" 2>&1 < /dev/null &
"""
MISSING = """
for file in "$1"/*.pid; do
    read -r pid < "$file"
    [ -e "/proc/$pid/exe" ] || basename "$file" .pid
done
"""
UWSGI = ["uwsgi", "--plugins", "python3", "--master", "--lazy-apps", "--enable-threads", "--die-on-term"]
UWSGI += ["--threads", "4", "--buffer-size", "65535"]
# It closes each connection, and must say so: a client that keeps one would send its next request into it.
UWSGI += ["--add-header", "Connection: close"]
WSGI = {  # name -> port, processes, program
    "keystone": (KEYSTONE, 2, "/usr/bin/keystone-wsgi-public"),
    "placement": (PLACEMENT, 2, "/usr/bin/placement-api"),
    "glance": (GLANCE, 1, "/usr/bin/glance-wsgi-api"),
    "nova-api": (NOVA, 2, "/usr/bin/nova-api-wsgi"),
}
DAEMONS = ("nova-conductor", "nova-scheduler", "nova-compute")


def nova(lab: Lab) -> None:
    """Returns when nova's services are up. Raises LabError with what the cluster complains about, and CommandFailed."""
    openstack(lab)
    services(lab)


def services(lab: Lab) -> None:
    """The same, of OpenStack's own services on a plane that serves."""
    machines, points = lab.status()["nodes"], lab.endpoints
    plane = Plane(
        writer=f"{mysql.WRITER}:3306",
        reader=urlsplit(str(points["balancer"])).netloc.rpartition("@")[2],
        brokers=points["amqp"],
        client=machines[CLIENT]["address"],
        password=secrets.token_hex(12),
    )
    cloud = f"http://admin:{plane.password}@{plane.client}:{KEYSTONE}"
    _databases(lab, plane)
    for path, text in settings.files(plane).items():
        lab.put(CLIENT, path, text, mode=0o600)
    lab.run(CLIENT, ["mkdir", "-p", LOGS, f"{STATE}/locks", f"{STATE}/images", f"{STATE}/instances"])
    ports = {"glance": GLANCE, "placement": PLACEMENT, "nova": NOVA, "neutron": NETWORKS}
    # Each of these is a program that loads for seconds and asks little of the database.
    with ThreadPoolExecutor() as pool:
        steps = [partial(_identity, lab, plane, cloud, ports), partial(_cells, lab, plane)]
        steps += [
            partial(_manage, lab, *words)
            for words in (["placement-manage", "db", "sync"], ["glance-manage", "db_sync"])
        ]
        for done in [pool.submit(step) for step in steps]:
            done.result()
    start(lab, "networks", "python3", "-m", "backstay_lab.clients.networks", plane.client, str(NETWORKS))
    for name in WSGI:
        if name != "keystone":
            _serve(lab, plane, name)
    for name in DAEMONS:
        program = f"import sys; from nova.cmd.{name[len('nova-') :]} import main; sys.argv[0] = '{name}'; main()"
        start(lab, name, "python3", "-c", program, "--log-file", f"{LOGS}/{name}.log")
    _client(lab, "cloud", cloud, "room")
    known = "SELECT COUNT(*) FROM nova_api.host_mappings"
    poll(lambda: _sql(lab, known).strip() == "1", Deadline(UP_TIMEOUT), "nova to know its host", interval=1.0)
    lab.endpoints = {**points, "keystone": cloud}


def start(lab: Lab, name: str, *argv: str) -> None:
    """A service on the client; it goes on after this."""
    lab.run(CLIENT, ["sh", "-ec", START, "sh", RUN, name, LOGS, *argv])


def missing(lab: Lab) -> list[str]:
    """The services that ended."""
    return lab.run(CLIENT, ["sh", "-c", MISSING, "sh", RUN], check=False).out.split()


def _serve(lab: Lab, plane: Plane, name: str) -> None:
    port, processes, program = WSGI[name]
    where = ["--http-socket", f"{plane.client}:{port}", "--processes", str(processes), "--wsgi-file", program]
    start(lab, name, *UWSGI, *where)


def _client(lab: Lab, program: str, *arguments: str) -> None:
    lab.run(CLIENT, ["python3", "-m", f"backstay_lab.clients.{program}", *arguments], timeout=SYNC_TIMEOUT)


def _sql(lab: Lab, statements: str) -> str:
    """On the primary, as root."""
    primary = next(node for node, roles in lab.roles().items() if roles.get("mysql") == "Promoted")
    client = ["mysql", f"--defaults-file={mysql.CONFIG}", "--user=root", "--skip-column-names"]
    return lab.run(primary, client, input=statements).out


def _databases(lab: Lab, plane: Plane) -> None:
    """One for each service, and one account for all of them."""
    account = f"'openstack'@'%' IDENTIFIED BY '{plane.password}'"
    made = [f"CREATE DATABASE {name}; GRANT ALL ON `{name}`.* TO 'openstack'@'%';" for name in DATABASES]
    _sql(lab, "\n".join([f"CREATE USER {account};", *made]))


def _manage(lab: Lab, *words: str) -> None:
    lab.run(CLIENT, words, timeout=SYNC_TIMEOUT)


def _identity(lab: Lab, plane: Plane, cloud: str, ports: Mapping[str, int]) -> None:
    """Keystone with its tables, keys and accounts. Tokens are checked once in a while, and remembered in memcached."""
    host, _, port = settings.MEMCACHED.partition(":")
    start(lab, "memcached", "memcached", "-u", "root", "-m", "64", "-l", host, "-p", port)
    _manage(lab, "keystone-manage", "db_sync")
    _manage(lab, "keystone-manage", "fernet_setup", "--keystone-user", "root", "--keystone-group", "root")
    urls = [
        word
        for kind in ("public", "internal", "admin")
        for word in (f"--bootstrap-{kind}-url", f"{plane.at(KEYSTONE)}/v3")
    ]
    region = ["--bootstrap-region-id", "RegionOne", "--bootstrap-password", plane.password]
    _manage(lab, "keystone-manage", "bootstrap", *region, *urls)
    _serve(lab, plane, "keystone")
    _client(lab, "cloud", cloud, "accounts", *(f"{name}={port}" for name, port in ports.items()))


def _cells(lab: Lab, plane: Plane) -> None:
    """Nova's tables, with a file of its own whose URLs have no time-out: a table may take longer to make than any answer may."""
    patient = ["nova-manage", "--config-file", "/etc/nova/nova.conf", "--config-file", f"{STATE}/patient.conf"]
    _manage(lab, *patient, "api_db", "sync")
    # The cells' own URLs are stored, with all that the page recommends.
    _manage(lab, *patient, "cell_v2", "map_cell0", "--database_connection", plane.database("nova_cell0"))
    _manage(lab, *patient, "db", "sync")
    _manage(lab, "nova-manage", "cell_v2", "create_cell", "--name", "cell1")
