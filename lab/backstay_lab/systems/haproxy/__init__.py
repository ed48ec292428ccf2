"""HAProxy: alone in front of a server that gives back lines (workload), and as a part of others (balancer)."""
