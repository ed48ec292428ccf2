"""Rehearsals: a fault, under load, on a lab, and what it cost.

service    what a rehearsal asks of a service; mysqlset, balanced and others are one; services is the table of them
faults     what a fault is, and those that all services share; mysqlfaults is the table of one service
scenarios  one run of one fault, from whole to whole, gives one Outcome
workload   starts programs on the lab's client and reads their histories
history    what those programs wrote, as values
checkers   pure: rows lost, phantoms, two servers writable, the write gap
logs       the nodes' logs: what came since, and its phases
timeline   pure: when it was detected, fenced, promoted, from the nodes' logs
alarms     false alarms of the watchers; timing: fencings and moves for a node that was merely disturbed

On the lab's client run:

ledger     writes through the writer address and notes every attempt
sampler    asks every server how often it is writable
echo       pings the address: the floor that no database can beat
connections  connects through a balancer again and again; lineserver is what is behind it
"""
