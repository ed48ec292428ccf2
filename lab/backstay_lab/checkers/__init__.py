"""Checkers: what the histories of a run prove. Pure: records in, verdicts out, each with what is needed to look it up.

history     the records that clients wrote, as values
writes      rows lost, phantoms, two servers writable at once, the gap without an acknowledgement
sampling    when each server was writable, and how closely it was watched
messages    the same for a message broker; boots: for instances that are booted through all systems
registers   reads and writes of the same values: registers, lists, transactions
operations  what an application went through; recovery: what each fault cost, over many runs
evidence    all that one run of a campaign left, as one value; rules: the table that it is judged by
leaks       whether what a soak has watched stays flat
"""
