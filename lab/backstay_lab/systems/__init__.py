"""Systems: what a lab serves. One folder is one system, and adding one edits nothing outside it.

A folder holds, as far as the system has it:

declaration  SYSTEM: all that the rest of the proving ground must know, in one value
deploy       its topologies: from empty disks, by the templates that people use, to a system that serves
workload     its class: where is its leader, is it whole, load it, judge it
faults       the table of faults that a rehearsal can inflict: those of the nemesis with their cost here, and its own
campaign     load and evidence under schedules of faults
peers        the same system under other agents, for the bench

Beside the folders is what all of them share: `system` and `subject` are the base classes, `declaration` what can be declared,
`topology` how a template is loaded. `catalogue` finds the folders; it imports them by name, so no folder imports it. The faults
that any system may suffer are in `nemesis`.
"""
