"""The decisions with the Pythons of the images: `make test-pythons`. They run on every node, whatever its Python is.

pytest, Hypothesis, click and rich come from the index, as `make check` takes them; all else is in the images. Reports are drawn
on no node: there is no Matplotlib.
"""

import os
import sys

from backstay.host import command
from backstay.ocf.errors import AgentError
from backstay_lab.machines import image, packages

SUITES = ("bullseye", "trixie", "sid")  # 3.9, 3.13 and 3.14; bookworm's 3.11 runs all other tests
WANTED = os.path.join(os.path.dirname(os.path.abspath(packages.__file__)), "pytest.list")
TIMEOUT = 1800.0  # seconds for one Python; about 60
# In mount and process namespaces, which end with the tests. The checkout is where they may write nothing.
INSIDE = """
root=$1 checkout=$2 packages=$3
mount -t tmpfs chamber /mnt
mkdir /mnt/upper /mnt/layer /mnt/root
mount -t overlay chamber -o "lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/layer" /mnt/root
cd /mnt/root
mkdir checkout packages
mount --bind -o ro "$checkout" checkout
mount --bind -o ro "$packages" packages
mount -t proc proc proc
mount --rbind /dev dev
exec chroot . sh -c 'cd /checkout && exec python3 -B -m pytest -q -p no:cacheprovider --hypothesis-profile=quick \\
    -m "not chamber and not lab and not slow" --ignore=tests/decisions/test_report.py tests/decisions'
"""
CONFINED = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"]


def main() -> int:
    checkout = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
    failed = []
    for suite in SUITES:
        root = image.ensure(suite, print)
        asked = ["chroot", root, "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        version = command.run(asked, timeout=60).out.strip()
        print(f"Python {version} of {suite}", flush=True)
        given = {"PYTHONPATH": "/packages", "BACKSTAY_FUZZ": "20", "HOME": "/root"}
        place = packages.ensure(version, WANTED)
        done = command.run(
            [*CONFINED, "sh", "-ec", INSIDE, "sh", root, checkout, place], TIMEOUT, check=False, env=given
        )
        print(done.out + done.err, flush=True)
        if done.status:
            failed.append(version)
    if failed:
        print(f"failed: Python {', '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AgentError as error:
        sys.exit(f"test-pythons: {error}")
