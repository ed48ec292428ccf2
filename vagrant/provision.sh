#!/bin/sh
# Makes this machine a node: provision.sh NAME NODE=ADDRESS ...
set -eu
name=$1
shift
export DEBIAN_FRONTEND=noninteractive
wanted="pacemaker corosync crmsh resource-agents mariadb-server mariadb-backup make iproute2
    python3-pymysql python3-lxml python3-psutil python3-click python3-rich"
for package in $wanted; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2> /dev/null | grep -qx installed && continue
    apt-get update -qq
    # shellcheck disable=SC2086 # a list
    apt-get install -qq -y --no-install-recommends $wanted
    break
done
systemctl disable --now mariadb # from now on the cluster starts it
make --silent -C /vagrant install install-lab

echo "$name" > /etc/hostname
hostname "$name"
sed -i "/ $name\$/d" /etc/hosts
for node in "$@"; do
    grep -q " ${node%%=*}\$" /etc/hosts || echo "${node#*=} ${node%%=*}" >> /etc/hosts
done
PYTHONPATH=/usr/lib/backstay-lab:/usr/lib/ocf/lib python3 -m backstay_lab.machines.configuration "$@" > /etc/corosync/corosync.conf
systemctl --quiet enable corosync pacemaker
systemctl restart corosync pacemaker
echo "next: backstay doctor --service mysql; on one node: backstay render mysql --set ... -o mysql.crm, and load it"
