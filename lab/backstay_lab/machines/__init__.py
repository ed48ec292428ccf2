"""The lab: a real Pacemaker cluster of several nodes on one Linux machine, from namespaces.

`cluster.Lab` is what tests and demos use; `backstay lab` (run.lab) is the same for the shell. How it hangs together:

    up ── supervisor (own mount, PID, network and IPC namespace; holds the bridge)
             ├── n1 ── tini ── corosync, pacemakerd, …      (own namespaces over an overlay of the image)
             ├── n2 ── …
             └── client ── tini                              (a host beside the cluster)

Everything hangs off the supervisor's PID namespace: when it dies, every process, mount, namespace and interface of
the lab goes with it. The host's own network and mounts are never changed.

cluster                       the handle; what the lab is to serve is a Topology that it gets from outside
drivers                       which kind of lab it is: this one, or `vagrant`, whose nodes `box` and `containers` make
launch, supervisor, control   bringing a lab up; the process that it hangs from; how that is asked
image, configuration, layout  the nodes' root file system, what a new disk holds beyond it, and what stands where
network, volume, limits       links that can be cut or slow, disks that can be full or frozen, shares of memory and processor
release, packages             the agents that each node runs, of this or an earlier revision; packages for the client
enter, faults                 commands in a node; signals to its daemons
logs, timeline                what the nodes logged, and when what happened
"""
