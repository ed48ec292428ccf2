"""The bench: Backstay and the agents that people use today, on the same lab, under the same faults, in turn.

contender   what the bench asks of a contender: how its cluster is configured, and one fault on it
peers       the table of contenders
mysqlpeers  ocf:heartbeat:mysql and ocf:heartbeat:mariadb, as their documentation has them
rabbitpeers ocf:heartbeat:rabbitmq-cluster and ocf:heartbeat:rabbitmq-server-ha
haproxypeers HAProxy by its pid file, as widely copied agents have it; pidfile_haproxy is the agent
addresses   an address alone: ocf:heartbeat:IPaddr2, and ocf:backstay:vip, the floor of the stack
keepalived  an address alone, by VRRP and without a cluster
costs       what a monitor and a node at rest cost; monitor is the program that measures it in a node
growth      how that grows
cli         `make bench`: rounds, and the file of results that `backstay report` makes a page of
"""
