"""Checks the tables of a PostgreSQL after everything that was done to it."""

from contextlib import closing

import psycopg2

from tests.faults.ledger import Ledger


def check_rows(url: str, ledger: Ledger) -> None:
    """Check that every revision is there, once, and every content that one points at."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT revision), min(revision), max(revision) FROM change")
        assert cursor.fetchall() == [(ledger.revision, 1, ledger.revision)]
        cursor.execute(
            "SELECT count(*) FROM change LEFT JOIN blob ON hash = content_hash WHERE hash IS NULL"
        )
        assert cursor.fetchall() == [(0,)]
