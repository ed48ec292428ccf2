"""On a node of Pacemaker Remote, whose id is its name, what counts members refuses to start, and the rest serves."""

from __future__ import annotations

import pytest
from tests.conftest import Chamber  # type: ignore[import-not-found]
from tests.contract.acting import prepared, run  # type: ignore[import-not-found]

REMOTE = "OCF_RESKEY_CRM_meta_on_node=n4 OCF_RESKEY_CRM_meta_on_node_uuid=n4"


@pytest.mark.parametrize("agent", ["mysql", "rabbitmq"])
def test_what_counts_members_refuses_in_one_sentence_and_can_always_stop(chamber: Chamber, agent: str) -> None:
    passwords = "OCF_RESKEY_monitor_password=m0n OCF_RESKEY_replication_password=r3p" if agent == "mysql" else ""
    script = f"""
        export {REMOTE} {passwords}
        act start; act validate-all OCF_CHECK_LEVEL=10; act validate-all; act monitor; act stop
        """
    result = run(chamber, prepared(agent, agent, 20) + script, 60)
    assert result.codes == [5, 5, 0, 7, 0], result.text
    said = (
        f"n4 is a Pacemaker Remote node and {agent} runs on members only: keep it off by a location (#kind ne cluster)"
    )
    assert result.reasons[:2] == [said, said] and len(said) <= 128


def test_an_address_is_held_there(chamber: Chamber) -> None:
    script = f"""
        ip link add eth0 type bridge; ip addr add 10.77.0.11/24 dev eth0; ip link set lo up; ip link set eth0 up
        export {REMOTE} OCF_RESKEY_ip=10.77.0.100; act start; act monitor; act stop; act monitor
        """
    result = run(chamber, prepared("vip", "address", 20) + script, 60)
    assert result.codes == [0, 0, 0, 7], result.text
