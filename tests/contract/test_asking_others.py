"""One node asks another's server, with a real MariaDB: it can be asked although clients hold all its connections, and where it
cannot, the sentence says why."""

from __future__ import annotations

from acting import Chamber
from mysql_box import run

ASK = r"""
cat > /tmp/ask.py <<'END'
import sys
from backstay.host.deadline import Deadline
from backstay.ocf.errors import AgentError
from backstay.services.mysql.server import Server
kept = []
for number in range(int(sys.argv[2])):
    try:
        kept.append(Server("the server on n2", Deadline(5), "backstay_monitor", "m0n", host="127.0.0.1", port=int(sys.argv[1])))
        print(f"ask{number}=answered")
    except AgentError as error:
        print(f"ask{number}={error}")
END
"""


def test_clients_that_hold_all_connections_are_in_nobody_s_way(chamber: Chamber) -> None:
    """Readers that fill max_connections on the replicas would else forbid every promotion."""
    result = run(
        chamber,
        ASK
        + """
        act start
        mariadb -e "set sql_log_bin=0; create user reader@'%' identified by 'r'; set global max_connections=12"
        # Another each time: our own watcher may have had a place while they came. It may give it back while we ask, too.
        reader() { mariadb -h 127.0.0.1 -u reader -pr -e "$1" 2>&1; }
        full() { reader 'select sleep(60)' > /dev/null & reader 'select 1' | grep -q 'Too many'; }; within 20 full
        python3 /tmp/ask.py 3306 4; python3 /tmp/ask.py 3307 1 | sed s/ask0/closed/; act stop
        """,
    )
    assert result.values["ask0"] == "answered", result.text
    assert result.values["ask3"] == "max_connections is full on n2, it has no free connection", result.text
    assert "start it, or have it listen there (port 3307, bind-address)" in result.values["closed"], result.text
