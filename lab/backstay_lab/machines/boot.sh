#!/bin/sh -eu
# A node comes up: started by the supervisor as the first process of new mount, PID, network, UTS and IPC namespaces,
# in the node's directory. Ends by becoming the node's init.
#   boot.sh NAME SUPERVISOR IMAGE MAC ADDRESS4 ADDRESS6 PATIENCE
# SUPERVISOR is the supervisor's pid as the host's /proc has it, PATIENCE seconds that init waits for the other nodes.
name=$1 supervisor=$2 image=$3 mac=$4 address4=$5 address6=$6 patience=$7
umask 022
ulimit -c 0
read -r stat < /proc/self/stat # still the host's /proc: our pid as the host sees it
set -- $stat
self="$1 ${22}"
exec 3> init # held open: the file is written last, when `run` may enter, and by then no path leads to it

lab=/proc/$supervisor/ns/net
# A node that lost its power leaves connections that the kernel goes on closing, for minutes since nobody answers, and
# they keep its network namespace, and so the old cable.
nsenter --net="$lab" ip link delete "port-$name" 2> /dev/null || true
ip link add eth0 address "$mac" type veth peer name "port-$name" netns "$lab"
nsenter --net="$lab" ip link set "port-$name" master lab up
sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.eth0.accept_dad=0 \
    net.ipv6.conf.eth0.accept_ra=0
ip link set lo up
ip link set eth0 up
ip address add "$address4/24" dev eth0
ip address add "$address6/64" dev eth0 nodad
hostname "$name"

mkdir -p upper work root
mount -t overlay lab -o "lowerdir=$image,upperdir=upper,workdir=work" root
[ ! -e disk ] || {
    mkdir -p root/var/lib/volume
    mount -o loop disk root/var/lib/volume
}
[ -e root/etc/backstay-lab ] || { # a new disk
    cp -R seed/. root/
    touch root/etc/backstay-lab
    if [ -e root/var/lib/pacemaker/cib/cib.xml ]; then
        chroot root sh -c 'cd /var/lib/pacemaker/cib && chown hacluster:haclient cib.xml && chmod 600 cib.xml'
    fi
}

bind() { # bind SOURCE TARGET: show a directory of the lab read-only
    mkdir -p "root$2"
    mount --bind "$1" "root$2"
    mount -o remount,bind,ro "root$2"
}
# As `make install` leaves it (backstay/admin/install.py).
bind code/lib /usr/lib/ocf/lib/backstay.d
ln -sfn backstay.d/current/backstay root/usr/lib/ocf/lib/backstay
ln -sfn /usr/lib/ocf/lib/backstay root/usr/lib/python3/dist-packages/backstay
bind code/agents /usr/lib/ocf/resource.d/backstay
bind code/crm-templates /usr/share/backstay/crm-templates
cp code/bin/backstay root/usr/bin/backstay
lab=../../code # the supervisor's own: what talks to it
[ "$name" != client ] || bind $lab/packages /usr/local/lib/backstay-packages # empty until something needs them
bind $lab/lab /usr/lib/backstay-lab
ln -sfn /usr/lib/backstay-lab/backstay_lab root/usr/lib/python3/dist-packages/backstay_lab
install -m 755 $lab/lab/backstay_lab/machines/fence_backstay_lab root/usr/sbin/fence_backstay_lab

mount -t proc proc root/proc
# What a node does to the kernel must stay in the node: a panicking Pacemaker writes to sysrq-trigger.
mount --bind root/proc/sys/net root/mnt
mount --bind root/proc/sys root/proc/sys
mount -o remount,bind,ro root/proc/sys
mount --move root/mnt root/proc/sys/net
[ ! -e root/proc/sysrq-trigger ] || mount --bind /dev/null root/proc/sysrq-trigger
mount -t sysfs -o ro sysfs root/sys
mount -t tmpfs -o mode=755 tmpfs root/run
mkdir -m 1777 root/run/lock
mount -t tmpfs -o mode=1777 tmpfs root/tmp
mount -t tmpfs -o mode=755 tmpfs root/dev
mkdir root/dev/pts root/dev/shm
mount -t tmpfs -o mode=1777 tmpfs root/dev/shm
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts root/dev/pts
for device in "null 3" "zero 5" "full 7" "random 8" "urandom 9"; do
    mknod -m 666 "root/dev/${device% *}" c 1 "${device#* }"
done
mknod -m 666 root/dev/tty c 5 0
ln -s pts/ptmx root/dev/ptmx
ln -s /proc/self/fd root/dev/fd
ln -s fd/0 root/dev/stdin
ln -s fd/1 root/dev/stdout
ln -s fd/2 root/dev/stderr
touch root/run/power-management
mount --bind ../../control root/run/power-management
mkdir root/run/backstay-lab
cp "$(dirname "$0")/init.sh" root/run/backstay-lab/init

cd root
pivot_root . .
umount -l .
cd /
echo "$self" >&3
exec 3>&-
# The clock, modules and raw hardware are the host's.
exec setpriv --bounding-set=-sys_time,-sys_module,-sys_rawio tini -s -- sh /run/backstay-lab/init "$name" "$patience"
