"""Campaigns: schedules of faults, drawn from a seed, over a workload; every history kept, and judged afterwards.

cli        `backstay campaign`
runner     one schedule, from a whole system to a whole system, and its judgement
series     many schedules on a lab, or a soak
shrink     pure: the shortest part of a failing schedule that still fails
observers  what is looked at from outside meanwhile: where addresses are
resources  what processes and files use during a soak

What can be done to a system is in backstay_lab.nemesis; what a system gives a campaign, its load and its evidence, in its folder
in backstay_lab.systems; the rules that runs are judged by in backstay_lab.checkers. How one fault is measured: backstay_lab.run.
"""
