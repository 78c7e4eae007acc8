"""Backs a database up into a file, and restores one from it: SQLite and PostgreSQL alike."""

import os
from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from dagcatalog_server.catalog.errors import BlobCorrupt
from dagcatalog_server.catalog.model import Blob, BlobKind
from dagcatalog_server.store.backup_file import (
    BackupReader,
    BackupWriter,
    BlobRecord,
    Manifest,
    Record,
    RowRecord,
    check_backup,
)
from dagcatalog_server.store.blob_codec import Base, pack
from dagcatalog_server.store.database import in_use, reading, writing
from dagcatalog_server.store.paging import pages
from dagcatalog_server.store.schema import migrate, require_current
from dagcatalog_server.store.sql_blobs import blob_row, check_blobs, read_blobs
from dagcatalog_server.store.sql_tables import blob, change, clock, consumer, parse_error, request
from dagcatalog_server.store.sql_types import UtcTime

# Not `consumer`: who watches is a fact about processes that run now, and nobody has acknowledged
# anything of the history that a restore begins.
ROW_TABLES = {str(table.name): table for table in (change, request, parse_error)}
PAGE_BLOBS = 100
BATCH_ROWS = 500
BATCH_BYTES = 16 * 1024**2
KEPT_BASES = 16
"""Bases at hand while differences are packed again; more are read back."""


class BackupExists(Exception):
    """The file is there already."""


class DatabaseNotEmpty(Exception):
    """A restore would replace what is there."""


class DatabaseInUse(Exception):
    """A server, or something else, has the database open."""


def back_up(url: str, path: Path, *, overwrite: bool = False) -> tuple[Manifest, dict[str, int]]:
    """Write one consistent snapshot of a database into a file; servers go on meanwhile.

    The file appears when it is whole. Needs memory for a page of rows and contents.

    Raises:
        BackupExists: the file is there, and not to be overwritten.
        SchemaMismatch: the database is of another release.
        BlobCorrupt: a content is damaged: a backup that lacks it would be none.
        OSError: the file cannot be written.

    """
    if path.exists() and not overwrite:
        raise BackupExists(f"{path} is there already; name another file, or add --overwrite")
    partial = path.with_name(path.name + ".partial")
    try:
        with reading(url) as connection, partial.open("wb") as file:
            require_current(connection)
            manifest = _manifest(connection)
            writer = BackupWriter(file, manifest)
            _write_rows(connection, writer)
            _write_blobs(connection, writer)
            writer.finish()
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return manifest, dict(writer.counts)


def restore(
    url: str, path: Path, *, force: bool = False, while_in_use: bool = False
) -> tuple[Manifest, dict[str, int]]:
    """Put a backup into a database: the same revisions under a new epoch, in one transaction.

    The whole file is checked before. With `force` it replaces what is there.

    Raises:
        BackupDamaged: the file is not a whole backup; nothing was changed.
        DatabaseNotEmpty: there is something, and no `force`.
        DatabaseInUse: something has it open, and not `while_in_use`.

    """
    check_backup(path)
    if not while_in_use and (users := in_use(url)):
        raise DatabaseInUse(
            f"the database is open elsewhere ({users}): stop the servers, or add --while-in-use"
        )
    migrate(url)
    with path.open("rb") as file, writing(url) as connection:
        require_current(connection)
        connection.execute(select(clock.c.revision).with_for_update())  # writers wait from here on
        if not _is_empty(connection):
            if not force:
                raise DatabaseNotEmpty("the database is not empty; --force replaces what is there")
            for table in (change, request, parse_error, blob):
                connection.execute(delete(table))
        connection.execute(delete(consumer))
        reader = BackupReader(file)
        _insert(connection, reader.records())
        moved = update(clock).values(
            epoch=uuid4().hex,
            revision=reader.manifest.revision,
            compacted_revision=reader.manifest.compacted_revision,
        )
        connection.execute(moved)
    return reader.manifest, dict(reader.counts)


def _manifest(connection: Connection) -> Manifest:
    now = connection.execute(select(clock)).one()
    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    release = version("dagcatalog")
    return Manifest(now.epoch, now.revision, now.compacted_revision, created_at, release)


def _write_rows(connection: Connection, writer: BackupWriter) -> None:
    for table_name, table in ROW_TABLES.items():
        names = [str(column.name) for column in table.c]  # SQLAlchemy's own texts are not JSON's
        for page in pages(connection, table):
            for row in page:
                writer.row(table_name, {name: getattr(row, name) for name in names})


def _write_blobs(connection: Connection, writer: BackupWriter) -> None:
    """Write contents, bases before what is told from them."""
    for condition in (blob.c.base_hash.is_(None), blob.c.base_hash.is_not(None)):
        for page in pages(connection, blob, condition, rows=PAGE_BLOBS):
            bases = {row.hash: row.base_hash for row in page}
            for each in check_blobs(connection, list(bases)):
                if isinstance(each, BlobCorrupt):
                    raise each
                writer.blob(BlobRecord(each.hash, int(each.kind), bases[each.hash], each.raw))


def _is_empty(connection: Connection) -> bool:
    counted = (select(func.count()).select_from(table) for table in (change, blob, parse_error))
    return not any(connection.execute(one).scalar_one() for one in counted)


def _insert(connection: Connection, records: Iterator[Record]) -> None:
    batch = _Batch(connection)
    bases: OrderedDict[str, Base] = OrderedDict()
    for record in records:
        if isinstance(record, RowRecord):
            batch.add(ROW_TABLES[record.table], _row_values(record))
            continue
        base = None
        if record.base_hash:
            if record.base_hash not in bases:
                batch.flush()  # it came before, and is to be read back
            base = _base(connection, bases, record.base_hash)
        packed = pack(record.raw, base)
        values = blob_row(_blob(record), packed)._asdict() | {"kept_at": datetime.now(UTC)}
        batch.add(blob, values, len(packed.data))
    batch.flush()


def _base(connection: Connection, bases: "OrderedDict[str, Base]", wanted: str) -> Base | None:
    if wanted not in bases:
        found = read_blobs(connection, [wanted]).get(wanted)
        if found is None:
            return None
        stored = select(blob.c.stored_bytes).where(
            blob.c.hash == wanted, blob.c.base_hash.is_(None)
        )
        stored_bytes = connection.execute(stored).scalar_one_or_none()
        if stored_bytes is None:
            return None
        bases[wanted] = Base(wanted, found.raw, stored_bytes)
        if len(bases) > KEPT_BASES:
            bases.popitem(last=False)
    return bases[wanted]


def _blob(record: BlobRecord) -> Blob:
    return Blob(record.hash, BlobKind(record.kind), record.raw)


def _row_values(record: RowRecord) -> dict[str, object]:
    columns = ROW_TABLES[record.table].c
    times = {column.name for column in columns if isinstance(column.type, UtcTime)}
    return {
        name: datetime.fromisoformat(str(value)) if name in times and value is not None else value
        for name, value in record.values.items()
    }


class _Batch:
    """Rows of one table that are inserted together."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[dict[str, object]] = []
        self._table: Table = change
        self._bytes = 0

    def add(self, table: Table, values: dict[str, object], row_bytes: int = 0) -> None:
        full = len(self._rows) >= BATCH_ROWS or self._bytes >= BATCH_BYTES
        if table is not self._table or full:
            self.flush()
        self._table = table
        self._rows.append(values)
        self._bytes += row_bytes

    def flush(self) -> None:
        if self._rows:
            self._connection.execute(insert(self._table), self._rows)
        self._rows, self._bytes = [], 0
