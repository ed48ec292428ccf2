"""Backstay: Pacemaker OCF resource agents for the stateful heart of an OpenStack control plane."""

__version__ = "0.1.0"
