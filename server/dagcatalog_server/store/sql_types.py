"""Column types that mean the same in SQLite and PostgreSQL."""

# ruff: noqa: ARG002, D102 - SQLAlchemy's signatures, documented there

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

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        return None if value is None else value.hex()


class UtcTime(TypeDecorator[datetime]):
    """A moment to the microsecond; it comes back in UTC. SQLite keeps UTC without saying so."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
