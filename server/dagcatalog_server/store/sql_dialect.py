"""The small seam between the two SQL databases."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from dagcatalog_server.store.kept_changes import HeadMark
from dagcatalog_server.store.sql_inserts import BlobRow, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlDialect:
    """What SQLite and PostgreSQL do differently."""

    name: str
    """Name of the store."""
    insert: Callable[[Table], sqlite.Insert | postgresql.Insert]
    """An INSERT that knows ON CONFLICT, which both spell alike."""
    contains: Callable[[ColumnElement[str], str], ColumnElement[bool]]
    """Tests for a substring, exactly."""
    translate: Callable[[BaseException], Exception | None]
    """Gives the store's exception for one of the driver's; None: it is a bug, let it be seen."""
    read_options: Mapping[str, Any]
    """Execution options of connections that read one snapshot."""
    write_options: Mapping[str, Any]
    """Execution options of connections that write."""
    marker: str
    """Stands for a parameter in the driver's SQL."""
    head_marks: Callable[[Connection, str, Sequence[str]], list[HeadMark]]
    """Says of the heads of a namespace which rows they are."""
    overtake: Callable[[Connection, Sequence[tuple[int, int, int]]], int]
    """Ends heads, given as (revision, ordinal, until_revision), and tells how many still were such."""
    now: Callable[[Connection], datetime]
    """Gives the time that all who use the database share."""
    lock_consumers: Callable[[Connection], None]
    """Keeps others from writing consumers until the transaction ends."""
    insert_rows: Callable[[Connection, Table, Sequence[Row]], None]
    """Inserts rows, one at least."""
    insert_blobs: Callable[[Connection, Sequence[BlobRow]], None]
    """Inserts blobs, one at least, but those that are there, with the time."""
    blobs_first: bool
    """Blobs are made durable in a transaction of their own, so that the one that holds the clock's
    row is short. Where there is one writer anyhow it would only be a second wait for the disk."""
    writer_turn: Callable[[], AbstractContextManager[None]]
    """Waits until a writing transaction may begin."""
