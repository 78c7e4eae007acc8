"""Column types that mean the same in SQLite and PostgreSQL."""

# ruff: noqa: ARG002, D102 - SQLAlchemy's signatures, documented there

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, LargeBinary, Text
from sqlalchemy.types import TypeDecorator, TypeEngine


class CodePointText(TypeDecorator[str]):
    """Text that sorts by code point and holds no NUL.

    PostgreSQL refuses NUL with a ValueError; SQLite would take it, so it is refused here. Under the
    "C" collation PostgreSQL's lower() folds ASCII letters only, as SQLite's does.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        collation = "C" if dialect.name == "postgresql" else None
        return dialect.type_descriptor(Text(collation=collation))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is not None and "\0" in value:
            raise ValueError("a text to be stored holds NUL")
        return value


class Sha256(TypeDecorator[str]):
    """A hash in lower-case hexadecimal, kept as its 32 bytes; the empty text is no hash."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else bytes.fromhex(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], str | None]:
        # Seven a row: one call each, not the three of a processor around a processor.
        return _hex


class UtcTime(TypeDecorator[datetime]):
    """A moment to the microsecond; it comes back in UTC. SQLite keeps UTC without saying so."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[Any], datetime | None]:
        return _read_text if dialect.name == "sqlite" else _in_utc


def _read_text(text: str | None) -> datetime | None:
    # Several a row: one call, and no second object only for the zone.
    return None if text is None else datetime.fromisoformat(f"{text}+00:00")


def _in_utc(moment: datetime | None) -> datetime | None:
    return moment if moment is None or moment.tzinfo is UTC else moment.astimezone(UTC)


def _hex(value: bytes | memoryview | None) -> str | None:
    return None if value is None else value.hex()
