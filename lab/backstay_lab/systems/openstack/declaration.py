"""What the proving ground knows of a control plane: MySQL with readers, HAProxy and RabbitMQ on the same nodes."""

from __future__ import annotations

from backstay_lab.systems.declaration import Campaigned, Declaration, Rehearsed, Show
from backstay_lab.systems.haproxy.balancer import Balancer
from backstay_lab.systems.mysql.workload import MysqlSet
from backstay_lab.systems.openstack.campaign import PlaneSubject
from backstay_lab.systems.openstack.deploy import openstack
from backstay_lab.systems.openstack.faults import FAULTS
from backstay_lab.systems.openstack.workload import ControlPlane
from backstay_lab.systems.rabbitmq.workload import RabbitSet

SYSTEM = Declaration(
    title="All services",
    topologies={"openstack": openstack},
    rehearsed=Rehearsed(
        ControlPlane,
        "openstack",
        FAULTS,
        "four callers, twenty boots a second; a boot is done when its caller reads from a replica that the instance is active; "
        "failed operations are those of clients on oslo.db and oslo.messaging beside them, which try nothing again",
    ),
    campaigned=Campaigned(
        "openstack", {part.name: part.traits for part in (MysqlSet, RabbitSet, Balancer)}, PlaneSubject
    ),
    show=Show(
        "three nodes: Pacemaker, MariaDB with readers behind HAProxy, RabbitMQ",
        "all services are whole",
        "nova boots instances: api, scheduler, computes on oslo.messaging and oslo.db",
        {
            "mysql-kill": "kill -9 of the primary's server",
            "rabbitmq-kill": "kill -9 of the broker that leads the queues",
            "haproxy-kill": "kill -9 of HAProxy where its address is",
        },
        {
            "detected": "the cluster notices",
            "first write": "boots come to an end again, and their callers read it from a replica",
            "whole": "all services are whole",
        },
        "{accepted} boots accepted, {lost} vanished, {twice} in two final states, {failed} reported failed; "
        "none came to its end for {gap:.2f} s",
    ),
)
