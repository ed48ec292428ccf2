"""The check of load balancers, whether this server may be read from: the process that answers (server), and who starts it
(client)."""
