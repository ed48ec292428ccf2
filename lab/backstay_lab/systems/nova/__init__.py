"""OpenStack itself on a control plane: keystone, placement, glance and nova from Debian's packages, in the lab's client, with a
hypervisor that pretends."""
