"""A Vagrant box for the provider lxc, made here: Debian with systemd, sshd and what vagrant/provision.sh would install, so
that machines come up without a network. Nobody publishes such boxes any more.

A box of this provider is a tar of metadata.json, lxc-config and rootfs.tar.gz. The account `vagrant` and its well-known
key are what every base box has; Vagrant replaces the key when a machine first comes up.
"""

import fcntl
import hashlib
import os

from backstay.host import command
from backstay_lab.machines import image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "backstay"
RECIPE = "bookworm-machine"
BUILD_TIMEOUT = 300.0  # seconds to pack the image; about 25
METADATA = '{"provider": "lxc", "version": "1.0.0"}\n'
# /run is there before systemd starts, so that what is bound into it stays: container managers may do that.
CONFIG = """\
lxc.apparmor.profile = unconfined
lxc.mount.auto = proc:mixed sys:mixed cgroup:mixed
lxc.mount.entry = tmpfs run tmpfs nosuid,nodev,mode=755 0 0
lxc.autodev = 1
lxc.pty.max = 1024
lxc.tty.max = 0
"""
# In a mount namespace of its own, over the image: pack.sh IMAGE DIRECTORY BOX
PACK = """
image=$1 directory=$2 box=$3
mount -t tmpfs box /mnt
mkdir /mnt/upper /mnt/layer "$directory/rootfs"
mount -t overlay box -o "lowerdir=$image,upperdir=/mnt/upper,workdir=/mnt/layer" "$directory/rootfs"
cd "$directory"
root=rootfs
rm -f $root/usr/sbin/policy-rc.d $root/etc/hostname $root/etc/machine-id $root/etc/ssh/ssh_host_*
touch $root/etc/machine-id
: > $root/etc/resolv.conf
printf '127.0.0.1 localhost\\n::1 localhost\\n' > $root/etc/hosts
chroot $root useradd --create-home --shell /bin/bash vagrant
install -m 440 /dev/null $root/etc/sudoers.d/vagrant
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' > $root/etc/sudoers.d/vagrant
install -d -m 700 $root/home/vagrant/.ssh
install -m 600 "$(dpkg -L vagrant | grep 'keys/vagrant.pub$')" $root/home/vagrant/.ssh/authorized_keys
chroot $root chown -R vagrant:vagrant /home/vagrant/.ssh
chroot $root ssh-keygen -A > /dev/null
chroot $root systemctl --quiet disable mariadb corosync pacemaker
tar --create --numeric-owner --use-compress-program 'gzip -1' --file rootfs.tar.gz ./$root
tar --create --file "$box" ./metadata.json ./lxc-config ./rootfs.tar.gz
"""


def ensure(say: "Callable[[str], None]") -> str:
    """The path of the box, packed now if it is not there; another caller waits. Raises CommandFailed with tar's words."""
    root = image.ensure(RECIPE, say)
    recipe = "\n".join([os.path.basename(root), METADATA, CONFIG, PACK])
    boxes = os.path.join(image.cache_directory(), "boxes")
    path = os.path.join(boxes, f"{RECIPE}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}.box")
    os.makedirs(boxes, exist_ok=True)
    with open(f"{path}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # its holder is bounded by BUILD_TIMEOUT
        if not os.path.exists(path):
            say("packing the Vagrant box (once)")
            _pack(root, path)
    return path


def _pack(root: str, path: str) -> None:
    import tempfile

    partial = f"{path}.partial"
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as directory:
        for name, text in (("metadata.json", METADATA), ("lxc-config", CONFIG)):
            with open(os.path.join(directory, name), "w", encoding="utf-8") as sink:
                sink.write(text)
        confined = ["unshare", "--mount", "sh", "-euc", PACK, "sh"]
        command.run([*confined, root, directory, partial], timeout=BUILD_TIMEOUT)
    os.rename(partial, path)
