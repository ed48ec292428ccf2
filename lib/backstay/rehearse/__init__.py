"""Rehearsals: a fault, under load, on a lab, and what it cost.

ledger    writes through the writer address and notes every attempt    (runs on the lab's client)
sampler   asks every server how often it is writable                   (runs on the lab's client)
echo      pings the address: the floor that no database can beat       (runs on the lab's client)
history   what those three wrote, as values
checkers  pure: rows lost, phantoms, two servers writable, the write gap
timeline  pure: when it was detected, fenced, promoted, from the nodes' logs
workload  starts the three on a lab and reads their histories
scenarios the faults, as a table; one run of one fault gives one Outcome
"""
