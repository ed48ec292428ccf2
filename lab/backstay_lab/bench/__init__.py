"""The bench: Backstay and the agents that people use today, on the same lab, under the same faults, in turn.

contender   what the bench asks of a contender: how its cluster is configured, and one fault on it
peers       the table of contenders: the ways that each system's folder declares, and those below
addresses   an address alone: ocf:heartbeat:IPaddr2, and ocf:backstay:vip, the floor of the stack
nothing     the floor of a failover: a role and an address by agents that do nothing
keepalived  an address alone, by VRRP and without a cluster
stacks      all systems on the same nodes, at rest
costs       what a monitor and a node at rest cost; monitor is the program that measures it in a node
growth      how that grows
cli         `backstay bench`: rounds, and the file of results that `backstay report` makes a page of
"""
