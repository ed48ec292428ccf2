"""What the agent noted of one data directory is not believed of another, and a database that was made by half is made anew;
with a real MariaDB."""

from __future__ import annotations

from acting import Chamber
from mysql_box import run


def test_a_second_set_of_the_same_name_gets_its_accounts(chamber: Chamber) -> None:
    """A trial, deleted, and then a database of the admin's in another directory."""
    result = run(
        chamber,
        """
        there() { mariadb -Ne "select count(*) from mysql.user where user like 'backstay%'"; }
        act start; act promote; act monitor $RECURRING; act stop
        mv /var/lib/mysql /var/lib/trial; mkdir /var/lib/mysql; chown mysql /var/lib/mysql
        mariadb-install-db --no-defaults --user=mysql --datadir=/var/lib/mysql --skip-test-db --force >/dev/null 2>&1
        echo '0-1-1' > /run/backstay/db/errant
        act start; echo "before=$(there)"; act promote; act monitor $RECURRING; echo "after=$(there)"; act stop
        """,
    )
    assert result.values["before"] == "0", result.text
    assert result.values["after"] == "2", result.text
    assert result.codes[4:6] == [0, 0], result.text


def test_a_database_without_its_accounts_is_not_adopted(chamber: Chamber) -> None:
    """A strict validation of passwords refuses the accounts: each start says so, and what it made is not taken for a set."""
    result = run(
        chamber,
        """
        printf '[mysqld]\\nplugin_load_add=simple_password_check\\nstrict_password_validation=ON\\n' >> /etc/mysql/set.cnf
        act start; act start; echo "marked=$([ -e /var/lib/mysql.unfinished ] && echo yes)"
        sed -i '/password/d' /etc/mysql/set.cnf; act start
        echo "made=$(mariadb -Ne "select count(*) from mysql.user where user like 'backstay%'")"; act stop
        """,
    )
    assert result.codes[2:] == [0, 0], result.text
    assert result.codes[0] == result.codes[1] != 0, result.text
    assert "password" in result.reasons[1].lower(), result.text
    assert (result.values["marked"], result.values["made"]) == ("yes", "2"), result.text
