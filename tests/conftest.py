"""What all tests share: the chamber, where Debian's own crmsh and Pacemaker tools work on a CIB in a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

from backstay.host import command
from backstay_lab.machines import image

CHECKOUT = Path(__file__).parent.parent

# An example may take as long as a busy machine makes it: no test here is about time.
hypothesis.settings.register_profile("backstay", deadline=None)
hypothesis.settings.load_profile("backstay")

# The lab's image, read-only under a scratch layer, with the agents where Pacemaker looks for them and the test's
# directory as /work. Everything is in a mount namespace: it ends with the script.
ENTER = """
image=$1 checkout=$2 work=$3 script=$4
mount -t tmpfs chamber /mnt
mkdir /mnt/upper /mnt/layer /mnt/root
mount -t overlay chamber -o "lowerdir=$image,upperdir=/mnt/upper,workdir=/mnt/layer" /mnt/root
cd /mnt/root
bind() { mkdir -p ".$2" && mount --bind "$1" ".$2"; }
bind "$checkout/lib/backstay" /usr/lib/ocf/lib/backstay
bind "$checkout/lib/backstay" /usr/lib/python3/dist-packages/backstay
bind "$checkout/lab/backstay_lab" /usr/lib/python3/dist-packages/backstay_lab
bind "$checkout/agents" /usr/lib/ocf/resource.d/backstay
bind "$checkout/crm-templates" /usr/share/backstay/crm-templates
bind "$work" /work
install -m 755 "$checkout/lab/backstay_lab/machines/fence_backstay_lab" usr/sbin/
mount -t proc proc proc
mount --rbind /dev dev
exec chroot . sh -ec "cd /work; $script"
"""
CONFINED = ["unshare", "--mount", "--pid", "--net", "--uts", "--fork", "--kill-child"]

Chamber = Callable[..., command.Finished]


@pytest.fixture(scope="session")
def bookworm() -> str:
    """The path of the lab's Debian 12 image, built when it is not there; BACKSTAY_TEST_IMAGE names another suite."""
    return image.ensure(os.environ.get("BACKSTAY_TEST_IMAGE", "bookworm"), print)


@pytest.fixture
def chamber(bookworm: str, tmp_path: Path) -> Chamber:
    """Run a shell script in the chamber; files of the test's tmp_path are in its working directory."""

    def run(script: str, timeout: float = 60, check: bool = True) -> command.Finished:
        arguments = [bookworm, str(CHECKOUT), os.fspath(tmp_path), script]
        home = {"HOME": "/root", "CIB_file": "/work/cib.xml", "PYTHONDONTWRITEBYTECODE": "1"}
        return command.run([*CONFINED, "sh", "-ec", ENTER, "sh", *arguments], timeout, check=check, env=home)

    return run
