"""OpenStack's APIs, for the programs on the lab's client. Needs python3 alone."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYSTONE, GLANCE, PLACEMENT, NOVA, NETWORKS = 5000, 9292, 8778, 8774, 9696  # ports
TIMEOUT = 60.0  # seconds for an answer, as long as callers and proxies usually wait
COMPUTE = "2.37"  # nova's microversion: the first by which a server may have no network


class Refused(Exception):
    """An answer that is no success. str() is its kind: "HTTP 500"."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"HTTP {status}")
        self.status, self.text = status, text


class Answer(NamedTuple):
    """headers: by lower-case name. content: of a JSON object, else empty."""

    headers: Mapping[str, str]
    content: dict[str, Any]


class Cloud:
    """All APIs of one host. url: of keystone, with the account of an admin: http://USER:PASSWORD@HOST:PORT."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self._keystone = str(parts.hostname), parts.port or 80
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._token = ""

    def log_in(self) -> str:
        """A new token, which the requests after this carry. Raises as `ask`."""
        user = {"name": self._user, "domain": {"id": "default"}, "password": self._password}
        identity = {"methods": ["password"], "password": {"user": user}}
        project = {"name": self._user, "domain": {"id": "default"}}
        asked = {"auth": {"identity": identity, "scope": {"project": project}}}
        self._token = self.ask("POST", self._keystone, "/v3/auth/tokens", asked).headers["x-subject-token"]
        return self._token

    def ask(self, method: str, port: int, path: str, content: Any = None, raw: bytes = b"") -> Answer:
        """One request on a connection of its own. content: what goes as JSON; raw: what goes as it is. Raises Refused, OSError
        and http.client.HTTPException."""
        body = json.dumps(content).encode() if content is not None else raw
        kind = "application/octet-stream" if raw else "application/json"
        headers = {"Content-Type": kind, "Accept": "application/json", "X-OpenStack-Nova-API-Version": COMPUTE}
        if self._token:
            headers["X-Auth-Token"] = self._token
        connection = http.client.HTTPConnection(self.host, port, timeout=TIMEOUT)
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        finally:
            connection.close()
        if answer.status >= 300:
            raise Refused(answer.status, text)
        found = json.loads(text) if text.startswith("{") else {}
        return Answer({name.lower(): value for name, value in answer.getheaders()}, found)


def kind(error: Exception) -> str:
    """Of a failed request: the status of the answer, else the class of what went wrong."""
    return str(error) if isinstance(error, Refused) else type(error).__name__
