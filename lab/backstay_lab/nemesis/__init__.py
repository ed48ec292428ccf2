"""The nemesis: every fault that is done to a system, how each is undone, and what it may cost at most.

victim        what the nemesis must know of the system that it hits
fault         pure: what a fault is, its cost, and how schedules draw one
stage         what a fault is inflicted on: a system under load, and the node that is hit
harm          what does each fault; surroundings: to network, disk, memory and the like; sequences: several events in an order
catalogue     the one table of all of these, and the thirty rows of kinds of failure that it covers
measured      those that a rehearsal takes, as it takes them: one at a time, and timed
schedule      pure: a seed gives a schedule, a value that is written to JSON and read from it
aimed         pure: schedules that are aimed at an order of events; no seed draws them
target        whom a schedule hits: a system of a lab, or a part of one, and who is known to lead it

Rehearsals, campaigns and the bench inflict the same values. A system's folder adds those that mean something to it alone, and
says what each costs there.
"""
