"""What differs between MariaDB and MySQL: statements, and the readers of their rows."""
