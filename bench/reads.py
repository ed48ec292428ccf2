#!/usr/bin/python3
"""What readers behind HAProxy get while things go wrong, on a lab of its own (as root; the lab is taken down at the end).

    bench/reads.py [--dir .lab-reads] [--runs 1] [--topology readers] [lag] [lose-replica] [lose-balancer] [kill-balancer]

A JSON line per run. gap: longest time without a successful new read; fenced: when the lost node was known dead; balanced: from
its return to reads and reader addresses on every replica; elsewhere: kept connections to other servers that broke; unread:
from more lag than allowed to the last new read there. --topology readers-promotable: one HAProxy serves, the others are
warm. A lab that is up in --dir with either is used, and left up.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in ("lib", "lab")]

from backstay_lab.machines.cluster import Lab  # noqa: E402
from backstay_lab.systems.catalogue import topology  # noqa: E402
from backstay_lab.systems.readers import workload  # noqa: E402

SCENARIOS = {
    "lag": lambda lab, into: workload.lag(lab, into, workload.replica(lab, balancer=False)),
    "kill-balancer": workload.kill_balancer,
    "lose-replica": lambda lab, into: workload.lose(lab, into, workload.replica(lab, balancer=False)),
    "lose-balancer": lambda lab, into: workload.lose(lab, into, workload.holder(lab, "haproxy-address")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="What readers get while things go wrong.")
    parser.add_argument("--dir", default=".lab-reads")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--image", default="bookworm")
    parser.add_argument("--topology", default="readers", choices=["readers", "readers-promotable"])
    parser.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []], metavar="SCENARIO")
    options = parser.parse_args()
    lab = Lab(options.dir)
    own = lab.layout.supervisor is None
    if own:
        lab = Lab.up(
            options.dir,
            image=options.image,
            topology=topology(options.topology),
            say=lambda line: print(line, file=sys.stderr),
        )
    try:
        for _ in range(options.runs):
            for name in options.scenarios or SCENARIOS:
                with tempfile.TemporaryDirectory() as into:
                    print(json.dumps({"scenario": name, **workload.as_json(SCENARIOS[name](lab, into))}), flush=True)
    finally:
        if own:
            lab.down()


if __name__ == "__main__":
    main()
