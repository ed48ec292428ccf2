"""Seeing at once what polling would see later: a small process beside each daemon (daemon), started and asked by the actions
(client), which loads of a service no more than its Target (target)."""
