"""What an admin does once, in a new OpenStack, with its command.

    cloud URL accounts SERVICE=PORT…     project, users, roles and endpoints; waits until keystone answers
    cloud URL room                       a flavor and an image; waits until nova and glance answer

URL is as rest.Cloud has it. The password of each service's user is the admin's. Prints nothing.
"""

from __future__ import annotations

import http.client
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from backstay.host.deadline import Deadline, poll
from backstay_lab.clients.rest import GLANCE, KEYSTONE, NOVA, Cloud, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 300.0  # seconds for a service to load; 5 at rest, more than 60 on a busy machine
TYPES = {"nova": "compute", "glance": "image", "placement": "placement", "neutron": "network"}
PATHS = {"nova": "/v2.1"}
FLAVOR = {"name": "m1.tiny", "id": "1", "ram": 64, "vcpus": 1, "disk": 1}
IMAGE = {"name": "nothing", "disk_format": "raw", "container_format": "bare"}


def once_there(do: Callable[[], Any], what: str) -> Any:
    """The result of the first try that is answered with a success."""

    def tried() -> Any:
        try:
            return do() or True
        except (Refused, OSError, http.client.HTTPException):
            return None

    return poll(tried, Deadline(PATIENCE), what, interval=0.5)


def accounts(cloud: Cloud, password: str, ports: dict[str, int]) -> None:
    once_there(cloud.log_in, "keystone's first token")

    def made(path: str, kind: str, **values: Any) -> str:
        return str(cloud.ask("POST", KEYSTONE, f"/v3/{path}", {kind: values}).content[kind]["id"])

    project = made("projects", "project", name="service", domain_id="default")
    roles = cloud.ask("GET", KEYSTONE, "/v3/roles?name=admin").content["roles"]
    for name, port in ports.items():
        user = made("users", "user", name=name, password=password, domain_id="default")
        cloud.ask("PUT", KEYSTONE, f"/v3/projects/{project}/users/{user}/roles/{roles[0]['id']}")
        service = made("services", "service", name=name, type=TYPES[name])
        url = f"http://{cloud.host}:{port}{PATHS.get(name, '')}"
        for interface in ("public", "internal", "admin"):
            made("endpoints", "endpoint", service_id=service, interface=interface, url=url, region_id="RegionOne")


def room(cloud: Cloud) -> None:
    once_there(cloud.log_in, "keystone's first token")
    once_there(lambda: cloud.ask("POST", NOVA, "/v2.1/flavors", {"flavor": FLAVOR}), "nova's flavor")
    image = once_there(lambda: cloud.ask("POST", GLANCE, "/v2/images", IMAGE).content, "glance's image")
    cloud.ask("PUT", GLANCE, f"/v2/images/{image['id']}/file", raw=bytes(1024))


def main() -> None:
    url, do, *words = sys.argv[1:]
    cloud = Cloud(url)
    if do == "accounts":
        named = dict(word.split("=") for word in words)
        accounts(cloud, unquote(urlsplit(url).password or ""), {name: int(port) for name, port in named.items()})
    else:
        room(cloud)


if __name__ == "__main__":
    main()
