"""Callers of nova. Every boot of a server is noted.

    novaboots URL --first ID [--rate 0.25]

URL is as rest.Cloud has it. A server is asked for every 1/`rate` seconds, each by a caller of its own, who waits for nova's
answer and asks nothing again. One more asks for the states of those that are open, again and again, as callers do. A JSON line
when a boot begins, when it is accepted, and when it has ended go to standard output; a boot that ends in error has nova's reason
in `error`. The end of standard input ends the run, once all boots have ended.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import logging
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import TimedOut
from backstay_lab.checkers.boots import ACTIVE, ERROR, FAILED
from backstay_lab.checkers.builds import NAME, number_of
from backstay_lab.checkers.history import Boot
from backstay_lab.clients.bootapi import Record
from backstay_lab.clients.program import run, turns
from backstay_lab.clients.rest import GLANCE, NOVA, Cloud, Refused, kind

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOK = 0.5  # seconds between two looks at the open boots
ANSWERS = 30.0  # seconds for nova's last answers
PATIENCE = 50.0  # seconds for the last boots to end
ENDED = {"ACTIVE": ACTIVE, "ERROR": ERROR}
BEFORE = 10.0  # seconds: nova's dates are whole seconds, of several clocks


def boot(cloud: Cloud, record: Record, number: int, image: str) -> None:
    """One request."""
    asked = Boot(number, 0, time.monotonic())
    record.note(asked)
    server = {"name": f"{NAME}{number}", "flavorRef": "1", "imageRef": image, "networks": "none"}
    try:
        cloud.ask("POST", NOVA, "/v2.1/servers", {"server": server})
    except (Refused, OSError, http.client.HTTPException) as reason:
        record.note(asked._replace(ended=time.monotonic(), state=FAILED, error=kind(reason)))
    else:
        record.note(asked._replace(accepted=time.monotonic()))


def ask(cloud: Cloud, record: Record, options: argparse.Namespace, image: str, stop: threading.Event) -> None:
    """Boot after boot, none waiting for the one before."""
    callers = []
    for turn in turns(stop, time.monotonic(), 1 / options.rate):
        callers.append(threading.Thread(target=boot, args=(cloud, record, options.first + turn, image), daemon=True))
        callers[-1].start()
    deadline = Deadline(ANSWERS)
    for caller in callers:
        caller.join(deadline.remaining())


def look(cloud: Cloud, record: Record, stop: threading.Event) -> None:
    """Note which boots have come to an end, until `stop`. A caller who gets no answer asks again."""
    while not stop.wait(LOOK):
        pending = {one.id: one for one in record.open()}
        if not pending:
            continue
        oldest = time.time() - (time.monotonic() - min(one.begun for one in pending.values())) - BEFORE
        since = quote(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(oldest)))
        try:
            servers = cloud.ask("GET", NOVA, f"/v2.1/servers/detail?changes-since={since}").content["servers"]
        except (Refused, OSError, http.client.HTTPException) as error:
            logging.warning("no answer from nova: %s", kind(error))
            continue
        for server in servers:
            one = pending.get(number_of(server["name"]))
            if one is not None and server["status"] in ENDED:
                record.note(_ended(one, server))


def _ended(one: Boot, server: Mapping[str, Any]) -> Boot:
    reason = str(server.get("fault", {}).get("message", ""))
    return one._replace(ended=time.monotonic(), state=ENDED[server["status"]], error=reason)


def main() -> None:
    parser = argparse.ArgumentParser(description="Boot servers, and note every boot.")
    parser.add_argument("url")
    parser.add_argument("--first", type=int, required=True, help="the smallest number")
    parser.add_argument("--rate", type=float, default=0.25, help="boots a second")
    options = parser.parse_args()
    cloud, record, ended = Cloud(options.url), Record(), threading.Event()
    cloud.log_in()
    image = cloud.ask("GET", GLANCE, "/v2/images").content["images"][0]["id"]
    threading.Thread(target=look, args=(cloud, record, ended), daemon=True).start()
    with contextlib.suppress(TimedOut):  # a boot without an end is the checker's to find
        run([partial(ask, cloud, record, options, image)], ANSWERS + 1)
    with contextlib.suppress(TimedOut):
        poll(lambda: not record.open(), Deadline(PATIENCE), "the last boots to end", LOOK)
    ended.set()


if __name__ == "__main__":
    main()
