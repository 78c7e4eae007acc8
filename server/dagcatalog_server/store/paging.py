"""Walks whole tables in the order of their keys, a page at a time, inside one snapshot."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, literal, select, tuple_

PAGE_ROWS = 500


def pages(
    connection: Connection, table: Table, *conditions: ColumnElement[bool], rows: int = PAGE_ROWS
) -> Iterator[Sequence[Row[Any]]]:
    """Read every row of a table, by primary key; memory for one page is all that it takes."""
    key = list(table.primary_key.columns)
    page = select(table).where(*conditions).order_by(*key).limit(rows)
    found = connection.execute(page).all()
    while found:
        yield found
        last = [literal(getattr(found[-1], column.name), column.type) for column in key]
        found = connection.execute(page.where(tuple_(*key) > tuple_(*last))).all()
