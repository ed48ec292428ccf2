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
    import re

    number = re.search(r"(\d+)\.(\d+)\.(\d+)", banner)
    if not number:
        raise NotInstalled(f"not a MySQL or MariaDB server: {banner[:60]!r}")
    version = (int(number[1]), int(number[2]), int(number[3]))
    if "mariadb" in banner.lower():
        from backstay.services.mysql.dialects.mariadb import Mariadb

        return Mariadb(version)
    from backstay.services.mysql.dialects.mysql import Oracle

    return Oracle(version)
