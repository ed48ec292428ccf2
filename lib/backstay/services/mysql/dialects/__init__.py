"""What differs between MySQL and MariaDB, the two families: base.py names each difference, mariadb.py and mysql.py each
implement it. This module chooses between them."""

from __future__ import annotations

from backstay.ocf.errors import NotInstalled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.dialects.base import Dialect


def dialect_for(banner: str) -> Dialect:
    """From `mysqld --version`, or @@version. Raises NotInstalled for what is neither family.

    The family is in the word, never in the number: MySQL's numbers have passed MariaDB's.
    """
    version = _version(banner)
    if version is None:
        raise NotInstalled(f"not a MySQL or MariaDB server: {banner[:60]!r}")
    if "mariadb" in banner.lower():
        from backstay.services.mysql.dialects.mariadb import Mariadb

        return Mariadb(version)
    from backstay.services.mysql.dialects.mysql import Oracle

    return Oracle(version)


def _version(banner: str) -> tuple[int, int, int] | None:
    """The first three numbers with points between them. Without `re`, which is as much to load as the rest of an action."""
    digits = "".join(char if char.isdigit() and char.isascii() else "." if char == "." else " " for char in banner)
    for word in digits.split():
        parts = word.split(".")
        for at in range(len(parts) - 2):
            first, second, third = parts[at : at + 3]
            if first and second and third:
                return int(first), int(second), int(third)
    return None
