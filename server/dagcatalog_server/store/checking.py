"""Checks that what a database holds is consistent: for people who suspect it is not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, literal, select, tuple_

from dagcatalog_server.catalog.canonical import DocumentLimits, canonicalize
from dagcatalog_server.catalog.definition import hash_document
from dagcatalog_server.catalog.errors import BlobCorrupt, CatalogError
from dagcatalog_server.catalog.model import Blob, Change, Clock
from dagcatalog_server.catalog.projection import project
from dagcatalog_server.store.blob_codec import MAX_BLOB_BYTES
from dagcatalog_server.store.database import reading
from dagcatalog_server.store.paging import pages
from dagcatalog_server.store.schema import require_current
from dagcatalog_server.store.sql_blobs import check_blobs
from dagcatalog_server.store.sql_history import read_blob_page, read_dangling
from dagcatalog_server.store.sql_rows import change_of
from dagcatalog_server.store.sql_tables import FOREVER, HISTORY, change, clock

PAGE_BLOBS = 100
PAGE_DOCUMENTS = 50
PAGE_ROWS = 2_000
# What was accepted once is read again, whatever the limits are now.
_LIMITS = DocumentLimits(max_bytes=MAX_BLOB_BYTES, max_depth=500, max_nodes=100_000_000)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    what: str
    """Which rule is broken, in one word or two."""
    where: str
    """What it is about, in a sentence."""


def check_database(url: str) -> Iterator[Finding]:
    """Look for everything that can be wrong, in one snapshot; servers go on meanwhile.

    Needs memory for a page of rows and documents. Reads every row and every content, but not who
    watches: that is no part of the history, and is made anew by who does.

    Raises:
        SchemaMismatch: the database is of another release.
        StoreUnavailable: it cannot be read.

    """
    with reading(url) as connection:
        require_current(connection)
        found = connection.execute(select(clock)).all()
        if len(found) != 1:
            yield Finding("clock", f"there are {len(found)} rows; one it must be")
            return
        now = Clock(found[0].epoch, found[0].revision, found[0].compacted_revision)
        yield from _check_clock(connection, now)
        yield from _check_revisions(connection, now)
        yield from _check_histories(connection, now)
        yield from _check_contents(connection)
        yield from _check_pointers(connection)
        yield from _check_projections(connection)


def _check_clock(connection: Connection, now: Clock) -> Iterator[Finding]:
    last = connection.execute(select(func.max(change.c.revision))).scalar_one() or 0
    if last > now.revision:
        yield Finding("clock", f"it is at revision {now.revision}, but there is a change at {last}")
    if not 0 <= now.compacted_revision <= now.revision:
        yield Finding(
            "clock", f"it is compacted at {now.compacted_revision}, but at revision {now.revision}"
        )


def _check_revisions(connection: Connection, now: Clock) -> Iterator[Finding]:
    """Every revision after the compacted one has a change, and its ordinals count from 0."""
    previous, ordinal = now.compacted_revision, 0
    for page in pages(
        connection, change, change.c.revision > now.compacted_revision, rows=PAGE_ROWS
    ):
        for row in page:
            ordinal = ordinal + 1 if row.revision == previous else 0
            if row.revision > previous + 1:
                yield Finding("revisions", f"{_range(previous + 1, row.revision - 1)} missing")
            if row.ordinal != ordinal:
                yield Finding(
                    "revisions", f"revision {row.revision} has ordinal {row.ordinal}, not {ordinal}"
                )
                ordinal = row.ordinal
            previous = row.revision
    if previous < now.revision:
        yield Finding("revisions", f"{_range(previous + 1, now.revision)} missing")


def _range(first: int, last: int) -> str:
    return f"revision {first} is" if first == last else f"revisions {first} to {last} are"


def _check_histories(connection: Connection, now: Clock) -> Iterator[Finding]:
    """Each row of a DAG ends where the next begins, the last one never, and versions only grow."""
    previous: Row[Any] | None = None
    for row in _histories(connection):
        if previous is None or _key(previous) != _key(row):
            yield from _check_end(previous)
        else:
            yield from _check_step(previous, row, now)
        if row.until_revision < row.revision:
            yield Finding("intervals", f"{_named(row)} ends before it begins")
        if row.version_revision > row.revision:
            yield Finding("versions", f"{_named(row)} is of a version that was made later")
        previous = row
    yield from _check_end(previous)


def _check_end(last: Row[Any] | None) -> Iterator[Finding]:
    if last is not None and last.until_revision != FOREVER:
        yield Finding("heads", f"{_named(last)} is the last of its DAG, but no head")


def _check_step(older: Row[Any], newer: Row[Any], now: Clock) -> Iterator[Finding]:
    if older.until_revision == FOREVER:
        yield Finding("heads", f"{_named(older)} is a head, but not the last of its DAG")
    elif older.until_revision > newer.revision:
        yield Finding("intervals", f"{_named(older)} overlaps the next at {newer.revision}")
    elif older.until_revision < newer.revision and newer.revision > now.compacted_revision:
        yield Finding("intervals", f"between {_named(older)} and {newer.revision} nothing holds")
    if newer.version < older.version:
        yield Finding(
            "versions", f"{_named(newer)} has version {newer.version} after {older.version}"
        )


def _histories(connection: Connection) -> Iterator[Row[Any]]:
    """Walk all rows by DAG and revision, as the index has them."""
    order = (change.c.namespace, change.c.dag_id, change.c.revision, change.c.ordinal)
    facts = (change.c.until_revision, change.c.version, change.c.version_revision)
    walk = (
        select(*order, *facts)
        .with_hint(change, f"INDEXED BY {HISTORY.name}", "sqlite")
        .order_by(*order)
        .limit(PAGE_ROWS)
    )
    page: Sequence[Any] = connection.execute(walk).all()
    while page:
        yield from page
        seen = (literal(value, column.type) for value, column in zip(page[-1], order, strict=False))
        page = connection.execute(walk.where(tuple_(*order) > tuple_(*seen))).all()


def _check_contents(connection: Connection) -> Iterator[Finding]:
    after = ""
    while (page := read_blob_page(connection, None, after, PAGE_BLOBS)).hashes:
        for each in page.corrupt:
            yield Finding("contents", f"{each.blob_hash}: {each.problem}")
        after = page.hashes[-1]


def _check_pointers(connection: Connection) -> Iterator[Finding]:
    after = -1
    while (page := read_dangling(connection, None, after, PAGE_ROWS)).last_revision != after:
        for blob_hash, key in page.pointers:
            where = f"{key.namespace}/{key.dag_id} points at {blob_hash}, which is not there"
            yield Finding("pointers", where)
        after = page.last_revision


def _check_projections(connection: Connection) -> Iterator[Finding]:
    """What lists show is what the documents say, as this release reads them."""
    for page in pages(connection, change, rows=PAGE_DOCUMENTS):
        rows = [change_of(row) for row in page]
        hashes = {row.state.hashes.content for row in rows}
        documents = {
            each.hash: each
            for each in check_blobs(connection, hashes)
            if not isinstance(each, BlobCorrupt)
        }
        yield from _check_documents(rows, documents)


def _check_documents(rows: Sequence[Change], documents: dict[str, Blob]) -> Iterator[Finding]:
    for row in rows:
        state = row.state
        if (document := documents.get(state.hashes.content)) is None:
            continue  # told already
        wrong = _differences(row, document)
        if wrong:
            where = f"{_place(row)}: {', '.join(wrong)} not as its document says"
            yield Finding("projections", where)


def _differences(row: Change, document: Blob) -> list[str]:
    state = row.state
    try:
        read = canonicalize(document.raw, _LIMITS)
        projected, hashes = project(read.tree), hash_document(read)
    except (CatalogError, KeyError, TypeError, AttributeError):
        return ["the document, which cannot be read, is"]
    names = [
        f for f in projected.__slots__ if getattr(projected, f) != getattr(state.projection, f)
    ]
    names += [
        f"{f} hash" for f in hashes.__slots__ if getattr(hashes, f) != getattr(state.hashes, f)
    ]
    if len(document.raw) != state.document_bytes:
        names.append("document_bytes")
    return names


def _place(row: Change) -> str:
    return f"{row.key.namespace}/{row.key.dag_id} at revision {row.revision}"


def _key(row: Row[Any]) -> tuple[str, str]:
    return (row.namespace, row.dag_id)


def _named(row: Row[Any]) -> str:
    return f"{row.namespace}/{row.dag_id} at revision {row.revision}"
