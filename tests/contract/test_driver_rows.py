"""Rows that go past SQLAlchemy are stored as it would store them."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Table, insert

from dagcatalog_server.catalog.model import Change, ChangeKind, DagState, Projection, Provenance
from dagcatalog_server.store.sql_dialect import SqlDialect
from dagcatalog_server.store.sql_inserts import column_names
from dagcatalog_server.store.sql_rows import change_row
from dagcatalog_server.store.sql_side_rows import request_row
from dagcatalog_server.store.sql_tables import FOREVER, change, request
from tests.support import stored

TEXTS = (
    "",
    "plain",
    "é🌙",
    '"\\/\b\f\n\r\t\x1f\x7f',
    "{}'$1%s::%%",
    "\\x00 \\u0000",
    "\uffff\U0010ffff",
)
MOMENTS = (
    None,
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 6, 1, 1, 2, 3, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    datetime(9999, 12, 31, tzinfo=UTC),
)
FLAGS = (None, True, False)


def odd_states() -> list[DagState]:
    """States that hold each text in every place, with each moment and each flag."""
    return [
        DagState(
            key=stored.key(f"{number}{text}", "spaced"),
            version=2**31 - 1,
            hashes=stored.state(stored.key("x")).hashes,
            source_hash="",
            provenance=Provenance(text, text, text),
            projection=Projection(
                display_name=text,
                description=text,
                tags=(text, "b"),
                owners=(text,),
                start_date=moment,
                end_date=moment,
                catchup=flag,
                paused_at_creation=flag,
            ),
            labels={text: text},
            document_bytes=2**40,
            source_bytes=0,
            actor=text,
            created_at=moment or stored.MOMENT,
            updated_at=stored.MOMENT,
            version_revision=2**62,
            version_actor=text,
            version_created_at=stored.MOMENT,
            deleted=bool(flag),
            delete_reason=text,
        )
        for number, (text, moment, flag) in enumerate(product(TEXTS, MOMENTS, FLAGS))
    ]


def test_changes_are_stored_as_sqlalchemy_stores_them(engine: tuple[Engine, SqlDialect]) -> None:
    writers, dialect = engine
    changes = stored.stamped([stored.change(each) for each in odd_states()], 1)
    rows = [change_row(each, FOREVER) for each in changes]
    assert _read_back(writers, dialect, change, rows) == _read_back(writers, None, change, rows)


def test_requests_are_stored_as_sqlalchemy_stores_them(engine: tuple[Engine, SqlDialect]) -> None:
    writers, dialect = engine
    rows = [
        request_row(stored.record(f"{number}{text}", namespace=text, at=moment or stored.MOMENT))
        for number, (text, moment) in enumerate(product(TEXTS, MOMENTS))
    ]
    assert _read_back(writers, dialect, request, rows) == _read_back(writers, None, request, rows)


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "é\udfff"])
def test_texts_that_cannot_be_stored_are_refused(
    engine: tuple[Engine, SqlDialect], text: str
) -> None:
    writers, dialect = engine
    odd = Change(1, 0, ChangeKind.CREATED, (), stored.state(stored.key(text)))
    with writers.begin() as connection, pytest.raises(ValueError, match=r"NUL|surrogate"):
        dialect.insert_rows(connection, change, [change_row(odd, FOREVER)])


def _read_back(
    writers: Engine, dialect: SqlDialect | None, table: Table, rows: list[tuple[object, ...]]
) -> list[Any]:
    """Insert rows, past SQLAlchemy or by it; give them as the driver reads them, and drop them."""
    with writers.connect() as connection, connection.begin() as transaction:
        if dialect is None:
            by_name = [dict(zip(column_names(table), row, strict=True)) for row in rows]
            connection.execute(insert(table), by_name)
        else:
            dialect.insert_rows(connection, table, rows)
        found = _driver_rows(connection, table)
        assert len(found) == len(rows)
        transaction.rollback()
    return found


def _driver_rows(connection: Connection, table: Table) -> list[Any]:
    selected = connection.exec_driver_sql(f"SELECT * FROM {table.name} ORDER BY 1, 2")
    return [
        tuple(bytes(each) if isinstance(each, memoryview) else each for each in row)
        for row in selected
    ]
