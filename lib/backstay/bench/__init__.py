"""The bench: Backstay and the agents that people use today, on the same lab, under the same faults, in turn.

contender   what the bench asks of a contender: how its cluster is configured, and one fault on it
peers       the table of contenders
mysqlpeers  ocf:heartbeat:mysql and ocf:heartbeat:mariadb, as their documentation has them
addresses   an address alone: ocf:heartbeat:IPaddr2, and ocf:backstay:vip, the floor of the stack
cli         `make bench`: rounds, and the file of results that `backstay report` makes a page of
"""
