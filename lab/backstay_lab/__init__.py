"""The proving ground: real clusters on one machine, what is done to them, and what that proves.

Each package imports only from those before it:

machines   a lab: nodes with Pacemaker and Corosync, power and network that can be taken away
checkers   pure: what the histories of one run prove
clients    programs that work on a system from the lab's client and note what they saw; how they are started and read
nemesis    every fault: what it does to a system, what undoes it, what it may cost; and schedules of them
systems    what a lab serves, one folder for each system: how it is deployed, loaded, judged, and which faults it must survive
run        one fault at a time: `backstay lab`, `rehearse` and `demo`, and measurements of the same kind
campaign   many faults from a seed: `backstay campaign`
bench      other agents beside ours, on the same labs with the same faults: `backstay bench`
report     results as one page: `backstay report`

`commands` is the table of the commands that this adds to `backstay`. Production code imports nothing from here.
"""
