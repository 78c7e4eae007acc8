"""What the database alone does: rows of a document's bytes, one a commit and 64 a commit.

One connection, no service: SQLite with `synchronous=FULL`, PostgreSQL with `fsync=on`, as our server
has them. The bytes are those that the catalog would store: compressed with zstd at level 3.
"""

import itertools
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import zstandard
from psycopg2.extras import execute_values

from benchmarks.documents import dag_document
from benchmarks.rounds import Work

Insert = Callable[[Sequence[tuple[int, bytes]]], None]
"""Insert these rows and commit."""


def raw_work(insert: Insert, *, tasks: int, group: int, rows: int) -> Work:
    """Insert so many rows of a document of so many tasks, so many a commit."""
    numbers = itertools.count()
    compress = zstandard.ZstdCompressor(level=3).compress

    def run() -> int:
        documents = [
            (next(numbers), compress(dag_document("bench", tasks, salt=str(number))))
            for number in range(group)
        ]
        for _ in range(0, rows, group):
            insert([(next(numbers), raw) for _, raw in documents])
        return rows

    return run


@contextmanager
def sqlite_rows(path: Path) -> Iterator[Insert]:
    """Open a table in an SQLite file of its own."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE raw (at INTEGER, number INTEGER, bytes BLOB)")

    def insert(rows: Sequence[tuple[int, bytes]]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO raw VALUES (0, ?, ?)", rows)
        connection.execute("COMMIT")

    yield insert
    connection.close()


@contextmanager
def postgres_rows(url: str) -> Iterator[Insert]:
    """Open a table in a PostgreSQL database."""
    connection = psycopg2.connect(url)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE raw (number bigint, bytes bytea)")
    connection.commit()

    def insert(rows: Sequence[tuple[int, bytes]]) -> None:
        with connection.cursor() as cursor:
            execute_values(cursor, "INSERT INTO raw VALUES %s", rows)
        connection.commit()

    yield insert
    connection.close()
