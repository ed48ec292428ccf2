"""One statement on one server, as JSON. Runs on the lab's client.

    query URL SQL [--deadline 5]

The URL comes on the command line: in a lab it holds nothing that is worth hiding.
"""

from __future__ import annotations

import argparse
import json
import sys

import pymysql

from backstay.rehearse.ledger import connect


def main() -> None:
    parser = argparse.ArgumentParser(description="Run one SQL statement and print its rows as JSON.")
    parser.add_argument("url")
    parser.add_argument("sql")
    parser.add_argument("--deadline", type=float, default=5.0)
    options = parser.parse_args()
    try:
        connection = connect(options.url, options.deadline)
        with connection.cursor() as cursor:
            cursor.execute(options.sql)
            rows = cursor.fetchall()
    except (OSError, pymysql.err.MySQLError) as error:
        sys.exit(str(error))
    sys.stdout.write(json.dumps(rows, default=str))


if __name__ == "__main__":
    main()
