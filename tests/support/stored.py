"""Changes, blobs and other stored values for tests, with everything filled in."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from dagcatalog_server.catalog.model import (
    Blob,
    BlobKind,
    Change,
    ChangeClass,
    ChangeKind,
    DagKey,
    DagState,
    DefinitionHashes,
    Dependency,
    ParseError,
    ParseErrorKind,
    Projection,
    Provenance,
    RequestRecord,
    Schedule,
    ScheduleKind,
)
from dagcatalog_server.catalog.ports import Store, Transaction

MOMENT = datetime(2026, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)


def sha(text: str) -> str:
    """Make a hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def blob(text: str, kind: BlobKind = BlobKind.DOCUMENT) -> Blob:
    """Make a blob of a text."""
    return Blob(sha(text), kind, text.encode())


def key(dag_id: str, namespace: str = "default") -> DagKey:
    """Make a key."""
    return DagKey(namespace, dag_id)


PROJECTION = Projection(
    display_name="Nightly 🌙",
    description="Copies “orders”\n100%",
    tags=("finance", "pii"),
    owners=("ann",),
    schedule=Schedule(ScheduleKind.CRON, "0 3 * * *", "Europe/Paris", "CronTimetable"),
    fileloc="/dags/nightly.py",
    task_count=7,
    operators=("BashOperator", "PythonOperator"),
    dependencies=(Dependency("a", "b", "label", "asset", "id"),),
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    end_date=datetime(2030, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    catchup=False,
    paused_at_creation=True,
    serialization_version=3,
)


def state(
    dag: DagKey,
    *,
    version: int = 1,
    content: str = "content",
    projection: Projection = PROJECTION,
    provenance: Provenance = Provenance("bundle", "v1", "nightly.py"),
    deleted: bool = False,
) -> DagState:
    """Make a state with no empty field."""
    return DagState(
        key=dag,
        version=version,
        hashes=DefinitionHashes(
            content=sha(content),
            definition=sha(content + "d"),
            structure=sha(content + "t"),
            schedule=sha(content + "s"),
            metadata=sha(content + "m"),
            placement=sha(content + "p"),
        ),
        source_hash=sha(content + "source"),
        provenance=provenance,
        projection=projection,
        labels={"team": "orders", "note": 'quote " and 🌙'},
        document_bytes=1234,
        source_bytes=567,
        actor="ann@example.org",
        created_at=MOMENT,
        updated_at=MOMENT + timedelta(hours=version),
        version_revision=version,
        version_actor="bob",
        version_created_at=MOMENT + timedelta(microseconds=1),
        deleted=deleted,
        delete_reason="no longer in its file" if deleted else "",
    )


def change(of: DagState, kind: ChangeKind = ChangeKind.NEW_VERSION) -> Change:
    """Make a change that still waits for its revision."""
    kind = ChangeKind.DELETED if of.deleted else kind
    return Change(0, 0, kind, (ChangeClass.STRUCTURE, ChangeClass.METADATA), of)


def commit(store: Store, *states: DagState) -> int:
    """Write states in one transaction and one revision; gives the revision."""
    with store.write() as transaction:
        return append(transaction, *states)


def append(transaction: Transaction, *states: DagState) -> int:
    """Do as the catalog does: read the heads, tick, append."""
    transaction.heads([each.key for each in states])
    revision = transaction.tick(1)
    transaction.append(stamped([change(each) for each in states], revision))
    return revision


def stamped(changes: Sequence[Change], revision: int) -> list[Change]:
    """Give changes one revision and their ordinals."""
    return [
        replace(each, revision=revision, ordinal=ordinal) for ordinal, each in enumerate(changes)
    ]


def record(request_id: str, *, namespace: str = "default", at: datetime = MOMENT) -> RequestRecord:
    """Make a remembered outcome."""
    return RequestRecord(namespace, request_id, sha(request_id), '{"revision": 1}', at)


def parse_error(
    file: str,
    *,
    namespace: str = "default",
    bundle: str = "bundle",
    message: str = "broken",
    first_at: datetime = MOMENT,
    last_at: datetime = MOMENT,
) -> ParseError:
    """Make a parse error."""
    return ParseError(
        namespace=namespace,
        bundle_name=bundle,
        bundle_version="v1",
        file=file,
        kind=ParseErrorKind.SYNTAX,
        message=message,
        stack_trace="Traceback …",
        line=12,
        first_at=first_at,
        last_at=last_at,
        actor="dag-processor",
    )
