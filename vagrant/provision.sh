#!/bin/sh
# Makes this machine a node: provision.sh NAME NODE=ADDRESS ...
set -eu
name=$1
shift
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -y --no-install-recommends pacemaker corosync crmsh resource-agents mariadb-server mariadb-backup make \
    python3-pymysql python3-lxml python3-psutil python3-click python3-rich iproute2
systemctl disable --now mariadb # from now on the cluster starts it
make -C /vagrant install

hostnamectl set-hostname "$name"
sed -i "/ $name\$/d" /etc/hosts
{
    printf 'totem {\n  version: 2\n  cluster_name: backstay\n  transport: knet\n  token: 1000\n  token_coefficient: 0\n}\n'
    printf 'nodelist {\n'
    id=0
    for node in "$@"; do
        id=$((id + 1))
        grep -q " ${node%%=*}\$" /etc/hosts || echo "${node#*=} ${node%%=*}" >> /etc/hosts
        printf '  node {\n    nodeid: %s\n    name: %s\n    ring0_addr: %s\n  }\n' "$id" "${node%%=*}" "${node#*=}"
    done
    printf '}\nquorum {\n  provider: corosync_votequorum\n}\nlogging {\n  to_syslog: yes\n  timestamp: hires\n}\n'
} > /etc/corosync/corosync.conf
systemctl enable --now corosync pacemaker
systemctl restart corosync pacemaker
echo "next: backstay doctor --service mysql; on one node: backstay render mysql --set ... -o mysql.crm, and load it"
