"""This machine: processes, files, sockets and the kernel's tables, each with a deadline where it could hang."""
