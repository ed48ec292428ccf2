"""The reader check, a small process that tells load balancers whether this server may be read from: the process that answers
(server), and the agent's side that starts it (client)."""
