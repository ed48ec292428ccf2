"""What the lab adds to the command line: `backstay` finds this module where the lab is installed."""

# Name -> (module, its click command, one line for the help).
COMMANDS = {
    "lab": ("backstay_lab.run.lab", "lab", "A real cluster of several nodes on this machine."),
    "demo": ("backstay_lab.run.demo", "demo", "A real failover from start to finish."),
    "rehearse": ("backstay_lab.run.cli", "command", "Inflict faults on a lab and measure what they cost."),
    "campaign": (
        "backstay_lab.campaign.cli",
        "campaign",
        "Break a lab by schedules of faults, and judge what they prove.",
    ),
    "explore": (
        "backstay_lab.explorer.cli",
        "command",
        "Every order of events of a small set, with the agents' decisions.",
    ),
    "bench": ("backstay_lab.bench.cli", "bench", "Backstay beside other agents: the same lab, load and faults."),
    "report": ("backstay_lab.report.cli", "report", "A page of what rehearsals and the bench measured."),
}
