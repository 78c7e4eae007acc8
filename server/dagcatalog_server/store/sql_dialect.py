"""The small seam between the two SQL databases."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table
from sqlalchemy.dialects import postgresql, sqlite


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlDialect:
    """What SQLite and PostgreSQL do differently."""

    name: str
    """Name of the store."""
    insert: Callable[[Table], sqlite.Insert | postgresql.Insert]
    """An INSERT that knows ON CONFLICT, which both spell alike."""
    contains: Callable[[ColumnElement[str], str], ColumnElement[bool]]
    """Tests for a substring, exactly."""
    read_options: Mapping[str, Any]
    """Execution options of connections that read one snapshot."""
    write_options: Mapping[str, Any]
    """Execution options of connections that write."""
    writer_turn: Callable[[], AbstractContextManager[None]]
    """Waits until a writing transaction may begin."""
