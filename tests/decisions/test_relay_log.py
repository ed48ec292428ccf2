"""Which event groups of a relay log are whole: a crash cuts the last one off."""

import pytest

from backstay.services.mysql.dialects.mariadb import whole_groups

BEGIN = ("r.1", 10, "Gtid", "BEGIN GTID 0-1-7")
ROWS = ("r.1", 20, "Write_rows_v1", "table_id: 18 flags: STMT_END_F")
XID = ("r.1", 30, "Xid", "COMMIT /* xid=9 */")
COMMIT = ("r.1", 30, "Query", "COMMIT")
STATEMENT = ("r.1", 20, "Query", "use `d`; INSERT INTO t VALUES (1)")
DDL = [("r.1", 40, "Gtid", "GTID 0-1-8"), ("r.1", 50, "Query", "CREATE TABLE t (i INT)")]
ROTATE = ("r.1", 60, "Rotate", "r.2;pos=4")
SEVEN, EIGHT = ("r.1", 10, 0, "0-1-7"), ("r.1", 40, 0, "0-1-8")


@pytest.mark.parametrize(
    ("events", "whole"),
    [
        ([BEGIN, ROWS, XID], [SEVEN]),
        ([BEGIN, STATEMENT, COMMIT], [SEVEN]),
        ([BEGIN, ROWS], []),
        ([BEGIN, STATEMENT], []),
        ([BEGIN], []),
        (DDL, [EIGHT]),
        (DDL[:1], []),
        ([BEGIN, ROWS, XID, *DDL], [SEVEN, EIGHT]),
        ([BEGIN, ROWS, ROTATE, ("r.2", 4, "Xid", "COMMIT")], [SEVEN]),
        ([BEGIN, ROWS, ROTATE], []),
        ([], []),
    ],
)
def test_whole_groups(events, whole):
    assert list(whole_groups(events)) == whole
