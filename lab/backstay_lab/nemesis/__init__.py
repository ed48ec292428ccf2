"""The nemesis: what campaigns do to a system, when, and what each of it may cost at most.

catalogue     pure: the kinds of fault, what a system must have to suffer each, and the thirty rows of the catalogue
schedule      pure: a seed gives a schedule, a value that is written to JSON and read from it
aimed         pure: schedules that are aimed at an order of events; no seed draws them
target        what is hit: a system of a lab, or a part of one
harm          the table of what does each kind, and undoes it; surroundings: of those to network, disk, memory and the like;
              sequences: of those that are several events in an order

A rehearsal's faults are another table, in each system's folder: they are measured one by one, and more is known of each.
"""
