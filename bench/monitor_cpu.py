#!/usr/bin/python3
"""CPU time of commands, run in turn so that a busy machine burdens all alike.

    bench/monitor_cpu.py [-n RUNS] [--count PROGRAM] [--image SUITE [--before SCRIPT]] \\
      'NAME=VALUE … COMMAND ARGUMENT …' ['…' …]

Each command is one shell-quoted word with its environment in front. Prints per command the exit status, the least and
the median of CPU (user and system, with all descendants) and wall time in milliseconds, and the ratio of its least CPU
to that of the first. The least is the fairer figure where others use the machine too. With --count each command runs
once more, under strace, and the last column says how often it or a descendant became that program.

The virtual address against ocf:heartbeat:IPaddr2, on a host that holds 10.9.0.50:

    bench/monitor_cpu.py \\
      'OCF_ROOT=/usr/lib/ocf OCF_RESKEY_ip=10.9.0.50 /usr/lib/ocf/resource.d/heartbeat/IPaddr2 monitor' \\
      'OCF_RESKEY_ip=10.9.0.50 OCF_RESKEY_CRM_meta_interval=5000 agents/vip monitor'

With --image the commands run in namespaces of their own over the lab's image, after a shell script. HAProxy against the
bare interpreter, as root:

    A=/usr/lib/ocf/resource.d/backstay/haproxy
    bench/monitor_cpu.py --image bookworm \\
      --before "printf 'defaults\\n mode tcp\\nlisten l\\n bind :7000\\n' > /etc/haproxy/haproxy.cfg; $A start" \\
      '/usr/bin/python3 -I -c pass' "OCF_RESKEY_CRM_meta_interval=5000 $A monitor" \\
      "OCF_RESKEY_CRM_meta_interval=5000 OCF_CHECK_LEVEL=10 $A monitor"

Brokers: bench/rabbitmq_monitors.py, which runs this one in a node of a lab.
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

from inside import again

checkout = Path(__file__).resolve().parents[1]
sys.path[:0] = [
    str(checkout / "lib"),
    str(checkout / "lab"),
    "/usr/lib/ocf/lib",
    "/usr/lib/backstay-lab",
]  # or the lab's image

from backstay_lab.bench.monitor import in_turn  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: "Sequence[str] | None" = None) -> None:
    parser = argparse.ArgumentParser(description="CPU time of commands, run in turn.")
    parser.add_argument("-n", "--runs", type=int, default=50)
    parser.add_argument("--count", metavar="PROGRAM", help="such as beam.smp, an Erlang virtual machine")
    parser.add_argument("--image", metavar="SUITE", help="run in the lab's image of this Debian suite")
    parser.add_argument("--before", default="", metavar="SCRIPT", help="run this first, in the image")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("commands", nargs="+", metavar="COMMAND")
    options = parser.parse_args(argv)
    if options.image and not options.inside:
        sys.exit(again(options.image, __file__, ["--inside", *(sys.argv[1:] if argv is None else argv)]))
    if options.before:
        subprocess.run(["sh", "-ec", options.before], check=True)
    contenders = in_turn(options.commands, options.runs)
    base = min(contenders[0].cpu)
    counted = f"  {options.count}" if options.count else ""
    print(f"status  CPU min  median  wall min  median   ratio{counted}  command")
    for contender in contenders:
        cpu, wall = contender.cpu, contender.wall
        times = f"  {contender.programs(options.count):{len(options.count)}}" if options.count else ""
        print(
            f"{contender.used[-1].status:6}  {min(cpu):7.1f}  {statistics.median(cpu):6.1f}  {min(wall):8.1f}"
            f"  {statistics.median(wall):6.1f}  {min(cpu) / base:6.2f}{times}  {' '.join(contender.argv)}"
        )


if __name__ == "__main__":
    main()
