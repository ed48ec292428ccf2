#!/usr/bin/python3
"""CPU and Erlang machines of one monitor: ocf:backstay:rabbitmq against the two agents that people use, on one broker.

    bench/rabbitmq_monitors.py DIR [-n RUNS]

DIR is a lab that serves the topology rabbitmq. All run in turn in its promoted node, as monitor_cpu.py has it, on the
broker that our agent has started, with the environment that Pacemaker gives: ours fast and at OCF_CHECK_LEVEL 10, and
ocf:heartbeat:rabbitmq-cluster and ocf:heartbeat:rabbitmq-server-ha, the latter with the attribute that it looks up for
the promoted node. They write attributes: take the lab down afterwards.
"""

import argparse
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in ("lib", "lab")]

from backstay_lab.machines.cluster import Lab  # noqa: E402
from backstay_lab.systems.rabbitmq.workload import RabbitSet  # noqa: E402

AGENTS = "/usr/lib/ocf/resource.d"
COMMON = "OCF_ROOT=/usr/lib/ocf OCF_RESKEY_CRM_meta_timeout=60000 OCF_RESKEY_CRM_meta_interval=3000"
MINUTES = 1200.0  # seconds for all runs


def commands(lab: Lab, node: str) -> "list[str]":
    """What monitor_cpu.py takes, ours first."""
    given = lab.run(node, ["crm_resource", "--resource", "rabbitmq", "--query-xml"]).out
    parameters = " ".join(
        f"OCF_RESKEY_{line.split('name=')[1].split(chr(34))[1]}={line.split('value=')[1].split(chr(34))[1]}"
        for line in given.splitlines()
        if "<nvpair" in line and "-instance_attributes-" in line
    )
    ours = f"{COMMON} OCF_RESOURCE_INSTANCE=rabbitmq OCF_RESKEY_CRM_meta_on_node={node} {parameters}"
    names = "OCF_RESOURCE_INSTANCE=peer:0 OCF_RESKEY_CRM_meta_clone=0 OCF_RESKEY_CRM_meta_notify=true"
    return [
        f"{ours} {AGENTS}/backstay/rabbitmq monitor",
        f"{ours} OCF_CHECK_LEVEL=10 {AGENTS}/backstay/rabbitmq monitor",
        f"{COMMON} {names} {AGENTS}/heartbeat/rabbitmq-cluster monitor",
        f"{COMMON} {names} OCF_RESKEY_avoid_using_iptables=true {AGENTS}/heartbeat/rabbitmq-server-ha monitor",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU and Erlang machines of one monitor of a broker.")
    parser.add_argument("directory", metavar="DIR")
    parser.add_argument("-n", "--runs", type=int, default=10)
    options = parser.parse_args()
    lab = Lab.attach(options.directory)
    node = RabbitSet(lab).promoted()
    for name in ("monitor_cpu.py", "inside.py"):
        lab.put(node, f"/root/{name}", (Path(__file__).parent / name).read_text(), mode=0o755)
    # Else the peer takes the broker for a slave's, which costs it four Erlang machines and not nine.
    lab.run(node, ["crm_attribute", "-N", node, "-l", "reboot", "-n", "rabbit-master", "-v", "true"])
    argv = ["/root/monitor_cpu.py", "-n", str(options.runs), "--count", "beam.smp", *commands(lab, node)]
    print(lab.run(node, argv, timeout=MINUTES).out, end="")


if __name__ == "__main__":
    main()
