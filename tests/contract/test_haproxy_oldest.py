"""HAProxy 2.2, as Debian 11 has it: the oldest that the agent runs. It knows no `.if`, counts no failed reload, and calls a
paused frontend stopped."""

from __future__ import annotations

import pytest
from acting import Chamber
from haproxy_box import run

pytestmark = pytest.mark.slow  # an image of its own


@pytest.fixture(scope="session")
def bookworm() -> str:
    from backstay_lab.machines import image

    return image.ensure("bullseye", print)


def test_its_life(chamber: Chamber) -> None:
    result = run(
        chamber,
        r"""
        echo_server 9001; export $CLONE; haproxy -v | head -n 1
        act start; echo held=$(opened).; act promote; act monitor $RECURRING; echo open=$(opened); first=$(worker)
        sed -i.good 's/mode tcp/mode tpc/' $C; act reload-agent; act monitor $RECURRING; act monitor $RECURRING
        [ "$(worker)" = "$first" ] && echo kept=1
        act reload-agent; mv $C.good $C; act reload-agent; act monitor $RECURRING
        [ "$(worker)" = "$first" ] || echo renewed=1
        act demote; echo closed=$(opened).; act monitor $RECURRING; act promote; act stop; act monitor
        sed -i 's/bind :8080/bind 10.1.2.3:8080/' $C; act start; sed -i 's/10.1.2.3:8080/:9001/' $C; act start
        """,
    )
    assert "version 2.2." in result.text
    assert result.codes == [0, 0, 8, 0, 8, 8, 0, 0, 8, 0, 0, 0, 0, 7, 1, 1], result.text
    assert (result.values["held"], result.values["open"], result.values["closed"]) == (".", "8080 8081", "."), (
        result.text
    )
    assert result.values["kept"] == result.values["renewed"] == "1"
    assert result.reasons[3].startswith("/etc/haproxy/haproxy.cfg:8: unknown proxy mode 'tpc'"), result.text
    assert "10.1.2.3:8080 is not an address of this node" in result.reasons[-2]
    assert "0.0.0.0:9001 is in use by socat (pid " in result.reasons[-1]
