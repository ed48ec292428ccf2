#!/bin/sh
# What a node runs once it is up: the cluster, as Debian's units would run it.
#   init NAME PATIENCE
# PATIENCE: seconds to wait for all configured nodes before Pacemaker starts. At the lab's first boot that keeps the
# faster nodes from fencing the slowest; later boots have 0, as on real machines.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
cd /
[ -e /etc/corosync/corosync.conf ] || exec sleep infinity

set -a
. /etc/default/corosync
. /etc/default/pacemaker
set +a
corosync -f &
corosync=$!
alive() { # a zombie has no executable
    readlink "/proc/$corosync/exe" > /dev/null
}
nodes=$(grep -c nodeid: /etc/corosync/corosync.conf)
deadline=$(($(date +%s) + $2))
while :; do
    joined=$(corosync-cmapctl -b runtime.members 2> /dev/null | grep -c 'status.*joined')
    [ "$joined" -ge "$nodes" ] && break
    [ "$joined" -gt 0 ] && [ "$(date +%s)" -ge "$deadline" ] && break
    alive || exec sleep infinity # no Corosync, no cluster: the node stays up for the admin to look at
    sleep 0.1
done
while alive; do # pacemaker.service: Restart=on-failure, and 100 means "do not"
    pacemakerd
    status=$?
    case $status in 0 | 100) break ;; esac
    sleep 1
done
echo "pacemakerd ended with status $status"
exec sleep infinity
