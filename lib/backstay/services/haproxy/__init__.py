"""ocf:backstay:haproxy. Pure: findings, servers. Clients: control (master CLI), daemon (files and processes), listeners. The
agent and reload join them."""
