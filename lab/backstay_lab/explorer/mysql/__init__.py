"""A set of MySQL or MariaDB servers as a small world."""
