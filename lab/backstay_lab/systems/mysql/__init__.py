"""The MySQL set: a primary, replicas, and a writer address. MariaDB or MySQL, as the image has it."""
