"""TLS to the server and to the broker, with certificates made here: verified, or one sentence and nothing said in clear text."""

from __future__ import annotations

import mysql_box
import pytest
import rabbitmq_box
from acting import Chamber

# In /etc/tls: two authorities, good.pem and other.pem, and pairs of certificate and key that the good one signed: n1 for that
# name, n2 for another.
AUTHORITY = r"""
grep -q ' n1$' /etc/hosts || echo 127.0.0.1 n1 >> /etc/hosts
mkdir -p /etc/tls; cd /etc/tls
authority() { openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -keyout $1.key -out $1.pem 2>/dev/null; }
pair() {
    openssl req -newkey rsa:2048 -nodes -subj /CN=server -keyout $1.key -out $1.csr 2>/dev/null
    printf "subjectAltName=DNS:$1" > $1.ext
    openssl x509 -req -in $1.csr -CA good.pem -CAkey good.key -CAcreateserial -days 2 -extfile $1.ext -out $1.pem 2>/dev/null
}
authority good; authority other; pair n1; pair n2; chmod 644 *
cd /work
"""

# `ask CA` connects as the nodes ask each other.
ASK = r"""
ask() { python3 -c '
import sys
from backstay.host.deadline import Deadline
from backstay.ocf.errors import AgentError
from backstay.services.mysql.server import Server
try:
    tls = {"ca": sys.argv[1]}
    server = Server("the server on n1", Deadline(5), "backstay_monitor", "m0n", host="n1", port=3306, tls=tls)
    print("asked:", server.one("SHOW STATUS LIKE \"Ssl_version\"")["Value"])
except AgentError as error:
    print("asked:", type(error).__name__, error)
' $1; }
"""


@pytest.mark.slow
def test_a_server_is_asked_with_verified_tls_or_not_at_all(chamber: Chamber) -> None:
    check = "act validate-all OCF_CHECK_LEVEL=10"
    result = mysql_box.run(
        chamber,
        AUTHORITY
        + ASK
        + f"""
        tls() {{ printf "[mysqld]\\nskip-name-resolve\\ninnodb_log_file_size=8M\\n$1" > /etc/mysql/set.cnf; }}
        act start; ask /etc/tls/good.pem; {check} OCF_RESKEY_tls_ca=/etc/tls/good.pem; act stop
        tls 'ssl_cert=/etc/tls/n1.pem\\nssl_key=/etc/tls/n1.key\\n'
        act start; ask /etc/tls/good.pem; ask /etc/tls/other.pem; ask /etc/tls/none.pem; ask /etc/tls/n1.key
        {check} OCF_RESKEY_tls_ca=/etc/tls/good.pem; {check} OCF_RESKEY_tls_ca=/etc/tls/other.pem
        {check} OCF_RESKEY_tls_ca=/etc/tls/n1.key
        chmod 600 /etc/tls/good.pem; {check} OCF_RESKEY_tls_ca=/etc/tls/good.pem; chmod 644 /etc/tls/good.pem; act stop
        tls 'ssl_cert=/etc/tls/n2.pem\\nssl_key=/etc/tls/n2.key\\n'
        act start; ask /etc/tls/good.pem; {check} OCF_RESKEY_tls_ca=/etc/tls/good.pem; act stop
        """,
    )
    told = [line.partition(": ")[2] for line in result.text.splitlines() if line.startswith("asked: ")]
    assert told[0] == (
        "ServerUntrusted the server on n1 offers no TLS, and tls_ca asks for it: set ssl_cert and ssl_key there"
    )
    assert told[1].startswith("TLSv1")
    other = "the server on n1 has no certificate that tls_ca /etc/tls/other.pem vouches for: "
    assert told[2].startswith(f"ServerUntrusted {other}")
    assert told[3] == "ServerUntrusted tls_ca /etc/tls/none.pem cannot be used: No such file or directory"
    assert told[4].startswith("ServerUntrusted tls_ca /etc/tls/n1.key cannot be used: ")
    assert told[5].startswith(
        "ServerUntrusted the server on n1 has no certificate that tls_ca /etc/tls/good.pem vouches"
    )
    assert "n1" in told[5].partition("vouches for")[2]  # the name that it lacks
    codes, reasons = result.codes, result.reasons
    assert codes == [0, 1, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0], result.text
    assert "offers no TLS" in reasons[1] and reasons[5].startswith(other)
    assert reasons[6].startswith("tls_ca /etc/tls/n1.key holds no certificate, ")
    assert reasons[7].startswith("tls_ca /etc/tls/good.pem cannot be read by mysql, who replicates with it")
    assert "vouches for" in reasons[10]


BROKER = r"""
cat > /etc/rabbitmq/rabbitmq.conf <<'END'
listeners.tcp = none
listeners.ssl.default = 5671
ssl_options.cacertfile = /etc/tls/good.pem
ssl_options.certfile = /etc/tls/n1.pem
ssl_options.keyfile = /etc/tls/n1.key
END
export OCF_RESKEY_tls_port=5671 OCF_RESKEY_tls_ca=/etc/tls/good.pem
OTHER=OCF_RESKEY_tls_ca=/etc/tls/other.pem
"""


@pytest.mark.slow
def test_a_broker_without_a_plain_port_is_asked_with_verified_tls(chamber: Chamber) -> None:
    """A wrong authority is no failure of a broker that runs, and refuses a start."""
    result = rabbitmq_box.run(
        chamber,
        AUTHORITY
        + BROKER
        + r"""
        act start OCF_RESKEY_tls_ca=; act start OCF_RESKEY_tls_ca=/etc/tls/none.pem
        act start; ss -ltn | grep -c ':5672 ' || true; act monitor $RECURRING; act promote; act monitor $RECURRING
        act monitor $RECURRING; act monitor $DEEP; act validate-all OCF_CHECK_LEVEL=10
        act monitor $RECURRING $OTHER; act monitor $DEEP OCF_RESKEY_tls_ca=/etc/tls/none.pem
        act demote; act stop; act start $OTHER; act stop; act monitor
        """,
        timeout=180,
    )
    assert result.codes == [6, 2, 0, 0, 0, 8, 8, 8, 0, 191, 191, 0, 0, 1, 0, 7], result.text
    assert result.reasons[0] == "parameter tls_ca is not set: tls_port needs it"
    none = "tls_ca /etc/tls/none.pem cannot be used, No such file or directory: put the authority there"
    assert result.reasons[1] == none and result.reasons[10].startswith(none)
    wrong = "the broker has no certificate for n1 that tls_ca /etc/tls/other.pem vouches for: "
    assert result.reasons[9].startswith(wrong) and result.reasons[13].startswith(wrong), result.text
    assert "\n0\n" in result.text
