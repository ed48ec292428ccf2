"""What answers nova where neutron would: there are no networks, ports, groups, or anything else.

    networks ADDRESS PORT

Every question for a list gets an empty one; whatever else is asked is refused, so that nothing can be taken for done. Nova asks
whenever it makes a server, also one without networks.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Nothing(BaseHTTPRequestHandler):
    """One connection."""

    def do_GET(self) -> None:
        kind = urlsplit(self.path).path.rstrip("/").rpartition("/")[2].replace("-", "_")
        text = json.dumps({kind: []}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nobody reads it."""


if __name__ == "__main__":
    ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Nothing).serve_forever()
