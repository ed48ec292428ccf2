"""The files of OpenStack's services, as docs/openstack.md has them. Pure: what the plane serves in, texts out.

Only what a failover is about is from there (RECOMMENDED, which a test compares with the page); the rest is the least that the
services need to run beside each other on one host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from backstay_lab.clients.rest import GLANCE, KEYSTONE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

READ_TIMEOUT = 10  # seconds for an answer of the database
# Section -> option -> value, of every service that has the section.
RECOMMENDED: dict[str, dict[str, str]] = {
    "database": {"max_retries": "-1", "retry_interval": "2", "connection_recycle_time": "1800"},
    "oslo_messaging_rabbit": {
        "amqp_durable_queues": "true",
        "heartbeat_timeout_threshold": "6",
        "heartbeat_rate": "3",
        "rabbit_retry_interval": "1",
        "rabbit_retry_backoff": "1",
        "rabbit_interval_max": "2",
        "kombu_reconnect_delay": "0.1",
    },
}
# Of nova alone. The page says how to choose the first.
BUILD_TIMEOUT = {"instance_build_timeout": "120"}

DATABASES = ("keystone", "glance", "placement", "nova_api", "nova", "nova_cell0")
STATE, LOGS = "/var/lib/openstack-lab", "/var/log/openstack-lab"
MEMCACHED = "127.0.0.1:11211"
HOST = "compute1"  # the name of the one host of instances


class Plane(NamedTuple):
    """What serves. writer: host and port of the writer address. reader: of the balancer. brokers: AMQP URLs of all of them.
    client: the address of the services. password: of all accounts, but the brokers'."""

    writer: str
    reader: str
    brokers: Sequence[str]
    client: str
    password: str

    def database(self, name: str, at: str = "", read_timeout: float = READ_TIMEOUT) -> str:
        """The URL of a database. at: another host than the writer address. read_timeout: 0 for none."""
        options = f"?read_timeout={read_timeout:g}" if read_timeout else ""
        return f"mysql+pymysql://openstack:{self.password}@{at or self.writer}/{name}{options}"

    def transport(self) -> str:
        """All brokers in one URL, as oslo.messaging wants them."""
        parts = [urlsplit(broker) for broker in self.brokers]
        return f"rabbit://{','.join(one.netloc for one in parts)}{parts[0].path}"

    def at(self, port: int) -> str:
        return f"http://{self.client}:{port}"


def files(plane: Plane) -> dict[str, str]:
    """Path -> text of every service's file."""
    return {
        "/etc/keystone/keystone.conf": text(_keystone(plane)),
        "/etc/glance/glance-api.conf": text(_glance(plane)),
        "/etc/placement/placement.conf": text(_placement(plane)),
        "/etc/nova/nova.conf": text(_nova(plane)),
        # For what may take long and is done by an admin: changes of a schema.
        f"{STATE}/patient.conf": text({name: {"connection": url} for name, url in _patient(plane).items()}),
    }


def text(sections: Mapping[str, Mapping[str, str]]) -> str:
    """As oslo.config reads it."""
    return "\n".join(
        "\n".join([f"[{name}]", *(f"{option} = {value}" for option, value in options.items()), ""])
        for name, options in sections.items()
    )


def _connection(plane: Plane, name: str) -> dict[str, str]:
    return {"connection": plane.database(name), **RECOMMENDED["database"]}


def _patient(plane: Plane) -> dict[str, str]:
    return {
        "api_database": plane.database("nova_api", read_timeout=0),
        "database": plane.database("nova", read_timeout=0),
    }


def _account(plane: Plane, user: str) -> dict[str, str]:
    return {
        "auth_type": "password",
        "auth_url": f"{plane.at(KEYSTONE)}/v3",
        "project_domain_id": "default",
        "user_domain_id": "default",
        "project_name": "service",
        "username": user,
        "password": plane.password,
        "region_name": "RegionOne",
    }


def _token(plane: Plane, user: str) -> dict[str, str]:
    """How a service has its callers' tokens checked."""
    return {
        "www_authenticate_uri": f"{plane.at(KEYSTONE)}/v3",
        "memcached_servers": MEMCACHED,
        **_account(plane, user),
    }


def _keystone(plane: Plane) -> dict[str, dict[str, str]]:
    return {
        "DEFAULT": {"log_dir": LOGS},
        "identity": {
            "password_hash_rounds": "4"
        },  # of bcrypt: with the usual 12 the reader's tokens alone take half a processor
        "database": _connection(plane, "keystone"),
        "token": {"provider": "fernet"},
        "fernet_tokens": {"key_repository": "/etc/keystone/fernet-keys/"},
        "cache": {"enabled": "true", "backend": "dogpile.cache.memcached", "memcache_servers": MEMCACHED},
    }


def _glance(plane: Plane) -> dict[str, dict[str, str]]:
    return {
        "DEFAULT": {"log_file": f"{LOGS}/glance.log"},
        "database": _connection(plane, "glance"),
        "glance_store": {
            "stores": "file",
            "default_store": "file",
            "filesystem_store_datadir": f"{STATE}/images",
        },
        "paste_deploy": {"flavor": "keystone"},
        "keystone_authtoken": _token(plane, "glance"),
    }


def _placement(plane: Plane) -> dict[str, dict[str, str]]:
    return {
        "DEFAULT": {"log_dir": LOGS},
        "api": {"auth_strategy": "keystone"},
        "placement_database": _connection(plane, "placement"),
        "keystone_authtoken": _token(plane, "placement"),
    }


def _nova(plane: Plane) -> dict[str, dict[str, str]]:
    """A host without limits, so that every boot finds room."""
    unlimited = {f"initial_{what}_allocation_ratio": "10000" for what in ("ram", "cpu", "disk")}
    return {
        "DEFAULT": {
            "log_dir": LOGS,
            "state_path": STATE,
            "transport_url": plane.transport(),
            "my_ip": plane.client,
            "host": HOST,
            "compute_driver": "fake.FakeDriver",
            "osapi_compute_workers": "2",
            "reserved_host_memory_mb": "0",
            "sync_power_state_interval": "-1",
            **unlimited,
            **BUILD_TIMEOUT,
        },
        "oslo_messaging_rabbit": RECOMMENDED["oslo_messaging_rabbit"],
        "api_database": _connection(plane, "nova_api"),
        "database": {**_connection(plane, "nova"), "slave_connection": plane.database("nova", plane.reader)},
        "api": {"auth_strategy": "keystone"},
        "keystone_authtoken": _token(plane, "nova"),
        "placement": _account(plane, "placement"),
        "glance": {"api_servers": plane.at(GLANCE)},
        "neutron": _account(plane, "nova"),
        "oslo_concurrency": {"lock_path": f"{STATE}/locks"},
        "conductor": {"workers": "2"},
        "scheduler": {"workers": "1", "discover_hosts_in_cells_interval": "5"},
        "vnc": {"enabled": "false"},
        "filter_scheduler": {"track_instance_changes": "false"},
        "quota": {"instances": "-1", "cores": "-1", "ram": "-1"},
    }
