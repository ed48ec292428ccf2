"""One statement on some servers, as JSON: a list with {"rows": [[…]]} or {"error": text} for each, in order.

    query SQL URL ... [--deadline 5]

Runs on the lab's client. The URLs come on the command line: in a lab they hold nothing that is worth hiding.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import pymysql

from backstay_lab.clients.ledger import connect


def answer(sql: str, url: str, deadline: float) -> dict[str, Any]:
    """What one server says within `deadline` seconds for each step."""
    try:
        connection = connect(url, deadline)
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return {"rows": cursor.fetchall()}
    except (OSError, pymysql.err.MySQLError) as error:
        return {"error": str(error)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Run one SQL statement on some servers and print the rows as JSON.")
    parser.add_argument("sql")
    parser.add_argument("urls", nargs="+", metavar="URL")
    parser.add_argument("--deadline", type=float, default=5.0)
    options = parser.parse_args()
    json.dump([answer(options.sql, url, options.deadline) for url in options.urls], sys.stdout, default=str)


if __name__ == "__main__":
    main()
