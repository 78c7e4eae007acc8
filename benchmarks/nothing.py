"""Our server, but a commit stores nothing: what a Put costs without a database.

Everything before the commit is real (decoding, limits, canonical bytes, hashes, index columns, the
queue of the group commit) and everything after it too (the summary, the answer). The commit answers
at once with the state that the first Put of that DAG would have made. Arguments as `dagcatalog`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.committing import Committed
from dagcatalog_server.catalog.model import Change, ChangeKind, DagKey, DagState, Position
from dagcatalog_server.catalog.writes import DagOutcome, PutOperation, Write, WriteOutcome
from dagcatalog_server.cli import cli

NOW = datetime.now(UTC)
_canned: dict[DagKey, DagOutcome] = {}
_position: list[Position] = []


def main() -> None:
    """Run `dagcatalog` with a commit that does nothing."""
    Catalog.commit = _commit  # type: ignore[assignment, method-assign] # it does less
    cli()


def _commit(catalog: Catalog, writes: Sequence[Write]) -> Committed:
    if not _position:
        _position.append(catalog.clock().position)
    results = [WriteOutcome(1, tuple(map(_outcome, write.operations))) for write in writes]
    return Committed(results, changes=(), position=_position[0])


def _outcome(put: object) -> DagOutcome:
    assert isinstance(put, PutOperation), "only Puts are measured"
    if (found := _canned.get(put.key)) is None:
        found = _canned[put.key] = DagOutcome(_change(put), written=True)
    return found


def _change(put: PutOperation) -> Change:
    state = DagState(
        key=put.key,
        version=1,
        hashes=put.hashes,
        source_hash="",
        provenance=put.provenance,
        projection=put.projection,
        labels=put.labels or {},
        document_bytes=len(put.document.raw),
        source_bytes=0,
        actor="nobody",
        created_at=NOW,
        updated_at=NOW,
        version_revision=1,
        version_actor="nobody",
        version_created_at=NOW,
    )
    return Change(1, 0, ChangeKind.CREATED, (), state)


if __name__ == "__main__":
    main()
