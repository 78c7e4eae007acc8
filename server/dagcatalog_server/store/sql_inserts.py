"""Whole rows as the driver is given them.

The rows of a group commit go past SQLAlchemy, whose work for each of their values takes longer than
all of the database's: a row of the change log has 46.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Table

from dagcatalog_server.store.sql_types import CodePointText, Sha256, UtcTime

Row = Sequence[Any]
"""Values by place, one for each column of a table, typed as SQLAlchemy would be given them."""


class BlobRow(NamedTuple):
    """The columns of a blob that the database does not fill in itself."""

    hash: str
    kind: int
    codec: int
    raw_bytes: int
    stored_bytes: int
    data: bytes
    base_hash: str | None


@dataclass(frozen=True, slots=True)
class DriverValues:
    """What a driver is given for values that it does not know."""

    of_hash: Callable[[str], object]
    of_time: Callable[[datetime], object]

    def __post_init__(self) -> None:
        # The rows of a group have few moments between them, most of them one.
        object.__setattr__(self, "of_time", lru_cache(256)(self.of_time))


def driver_rows(table: Table, rows: Iterable[Row], values: DriverValues) -> Iterator[list[Any]]:
    """Turn rows of a table into the driver's values; nothing else about them is changed.

    Raises:
        ValueError: a text holds NUL, or a lone surrogate.

    """
    texts, hashes, times = _places(table)
    for row in rows:
        _check_text("".join(texts(row)))
        made = list(row)
        for place in hashes:
            if made[place] is not None:
                made[place] = values.of_hash(made[place])
        for place in times:
            if made[place] is not None:
                made[place] = values.of_time(made[place])
        yield made


@cache
def column_names(table: Table) -> tuple[str, ...]:
    """Name the columns of a table by place."""
    return tuple(str(column.name) for column in table.columns)


@cache
def _places(
    table: Table,
) -> tuple[Callable[[Row], tuple[str, ...]], tuple[int, ...], tuple[int, ...]]:
    def of(kind: type) -> tuple[int, ...]:
        found = enumerate(table.columns)
        return tuple(place for place, column in found if isinstance(column.type, kind))

    return itemgetter(*of(CodePointText)), of(Sha256), of(UtcTime)


def _check_text(text: str) -> None:
    """Refuse what PostgreSQL would, and SQLite would keep."""
    if "\0" in text:
        raise ValueError("a text to be stored holds NUL")
    if not text.isascii():
        text.encode()  # a UnicodeEncodeError is a ValueError
