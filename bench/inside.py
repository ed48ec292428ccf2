"""Run a bench again in namespaces of its own, over the lab's image, with the agents where Pacemaker looks for them."""

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
AGENTS = "/usr/lib/ocf/resource.d/backstay"
ENTER = """
image=$1 checkout=$2; shift 2
mount -t tmpfs bench /mnt
mkdir /mnt/upper /mnt/layer /mnt/root
mount -t overlay bench -o "lowerdir=$image,upperdir=/mnt/upper,workdir=/mnt/layer" /mnt/root
cd /mnt/root
bind() { mkdir -p ".$2" && mount --bind "$1" ".$2"; }
bind "$checkout/lib/backstay" /usr/lib/ocf/lib/backstay
bind "$checkout/lab" /usr/lib/backstay-lab
bind "$checkout/agents" /usr/lib/ocf/resource.d/backstay
bind "$checkout/bench" /bench
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs run run
ip link set lo up
exec chroot . "$@"
"""


def again(suite: str, script: str, arguments: "list[str]") -> int:
    """Run bench/SCRIPT with these arguments in the image of a suite; its exit status. Needs root."""
    sys.path[:0] = [str(CHECKOUT / "lib"), str(CHECKOUT / "lab")]
    from backstay_lab.machines import image

    root = image.ensure(suite, lambda line: print(line, file=sys.stderr))
    confined = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-ec", ENTER, "sh"]
    command = [*confined, root, str(CHECKOUT), "python3", f"/bench/{Path(script).name}", *arguments]
    return subprocess.run(command, check=False).returncode
