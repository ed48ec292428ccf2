"""Users of OpenStack's APIs who only ask. Every question is noted.

    apireads URL [--interval 1]

URL is as rest.Cloud has it. Each service is asked every `interval` seconds: keystone for a token, nova for a server, placement
for the hosts, glance for an image. Nothing is tried again. Two JSON lines for each question go to standard output, with
`service`; the end of standard input ends the run.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import os
import time
from functools import partial
from typing import TYPE_CHECKING

from backstay.ocf.errors import TimedOut
from backstay_lab.checkers.history import Operation
from backstay_lab.clients.program import note, run, turns
from backstay_lab.clients.rest import GLANCE, NOVA, PLACEMENT, Cloud, Refused, kind

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

PATHS = {
    "nova": (NOVA, "/v2.1/servers?limit=1"),
    "placement": (PLACEMENT, "/resource_providers"),
    "glance": (GLANCE, "/v2/images?limit=1"),
}
SERVICES = ("keystone", *PATHS)
PATIENCE = 5.0  # seconds for what is under way at the end; what has no end by then is the reader's to find


def ask(cloud: Cloud, service: str, numbers: Iterator[int], interval: float, stop: threading.Event) -> None:
    """One service, again and again."""
    for _ in turns(stop, time.monotonic(), interval):
        begun, error = Operation(next(numbers), time.monotonic()), ""
        note({"service": service, **begun._asdict()})
        try:
            if service in PATHS:
                cloud.ask("GET", *PATHS[service])
            else:
                cloud.log_in()
        except (Refused, OSError, http.client.HTTPException) as reason:
            error = kind(reason)
        note({"service": service, **begun._replace(ended=time.monotonic(), error=error)._asdict()})


def main() -> None:
    parser = argparse.ArgumentParser(description="Ask OpenStack's services, and note every question.")
    parser.add_argument("url")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two questions to a service")
    options = parser.parse_args()
    numbers = itertools.count()
    clouds = {service: Cloud(options.url) for service in SERVICES}
    for cloud in clouds.values():
        cloud.log_in()
    with contextlib.suppress(TimedOut):
        run([partial(ask, clouds[name], name, numbers, options.interval) for name in SERVICES], PATIENCE)
    os._exit(0)  # threads that wait for an answer are not waited for


if __name__ == "__main__":
    main()
