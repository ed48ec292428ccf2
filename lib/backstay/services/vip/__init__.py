"""The virtual address: an IPv4 or IPv6 address that lives on one node at a time.

Pure: address, findings, frames. Clients: netlink, link, sockets, wire, namespace. The agent joins them.
"""
