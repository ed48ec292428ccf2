"""What the proving ground knows of OpenStack on a control plane."""

from __future__ import annotations

from backstay_lab.systems.declaration import Declaration, Rehearsed, Show
from backstay_lab.systems.nova.deploy import nova
from backstay_lab.systems.nova.faults import FAULTS
from backstay_lab.systems.nova.workload import OpenStack

SYSTEM = Declaration(
    title="OpenStack",
    topologies={"nova": nova},
    image="nova",
    rehearsed=Rehearsed(
        OpenStack,
        "nova",
        FAULTS,
        "nova boots a server every four seconds, on a hypervisor that pretends; a boot is done when its caller reads that it is "
        "ACTIVE, lost when it stays in BUILD; failed operations are answers of nova, keystone, placement and glance that are no "
        "success, and nothing is tried again",
    ),
    show=Show(
        "three nodes with MariaDB, readers behind HAProxy and RabbitMQ; beside them keystone, placement, glance and nova",
        "all services are whole",
        "nova boots a server every four seconds, on a hypervisor that pretends",
        {
            "mysql-kill": "kill -9 of the primary's server",
            "rabbitmq-kill": "kill -9 of the broker that leads nova's queues",
        },
        {
            "detected": "the cluster notices",
            "first write": "boots come to an end again",
            "whole": "all services are whole",
        },
        "{accepted} boots accepted, {lost} stay in BUILD, {in_error} ended in error, {failed} were refused; none came to its end "
        "for {gap:.2f} s",
    ),
)
