"""Pacemaker and Corosync: the way to ask them (pacemaker), and their answers as values (model, xml, ring, log_time)."""
