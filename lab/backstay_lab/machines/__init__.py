"""The lab: a real Pacemaker cluster of several nodes on one Linux machine, from namespaces.

`cluster.Lab` is what tests and demos use; `backstay lab` is the same for the shell. How it hangs together:

    up ── supervisor (own mount, PID, network and IPC namespace; holds the bridge)
             ├── n1 ── tini ── corosync, pacemakerd, …      (own namespaces over an overlay of the image)
             ├── n2 ── …
             └── client ── tini                              (a host beside the cluster)

Everything hangs off the supervisor's PID namespace: when it dies, every process, mount, namespace and interface of
the lab goes with it. The host's own network and mounts are never changed.
"""
