"""ocf:backstay:haproxy. Pure: health, server_state. Clients: master_cli, daemon (files and processes), listeners. The agent's
actions join them by look, reload, frontends and drain; watching is what the watcher knows."""
