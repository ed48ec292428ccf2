"""Campaigns: schedules of faults, drawn from a seed, over a workload; every history kept, and judged afterwards.

catalogue  pure: the kinds of fault that can be injected and what each may cost; the catalogue's rows 1 to 30
schedule   pure: a seed gives a schedule, a value that is written to and read from JSON
shrink     pure: the shortest part of a failing schedule that still fails
evidence   pure: what one run left, as a value; judge: the rules over it; registers: those over reads and writes
trend      pure: whether what a soak has watched stays flat
harm       does each kind of fault, and undoes it, on a lab; surroundings: those to network, disk and the like; scene: where
subjects   the services: load and evidence
runner     one schedule from a whole service to a whole service, and its judgement
watches    what is looked at from outside meanwhile: where addresses are; resources: what processes and files use
holdings   a program: which addresses a node has
series     many schedules on a lab, or a soak
cli        `backstay campaign`

How one fault is rehearsed and measured is in backstay_lab.run, from which this takes services, workload and histories.
"""
