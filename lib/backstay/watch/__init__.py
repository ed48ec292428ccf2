"""The watcher, a small process beside each daemon: it sees at once what polling would see later (daemon). The actions start
it and ask it (client). Of a service it loads no more than the service's Target (target)."""
