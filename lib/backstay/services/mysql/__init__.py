"""ocf:backstay:mysql: MySQL and MariaDB, one primary and its semi-synchronous replicas."""
