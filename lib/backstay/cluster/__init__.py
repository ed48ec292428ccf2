"""Pacemaker and Corosync: the way to them (pacemaker), and what they say as values (model, xml, ring, log_time)."""
