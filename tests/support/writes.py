"""Writes of the catalog for tests: short to say, made as the server makes them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.committing import Result
from dagcatalog_server.catalog.errors import CatalogError
from dagcatalog_server.catalog.model import Change, DagKey, Provenance
from dagcatalog_server.catalog.writes import (
    DeleteOperation,
    FileRef,
    Operation,
    Precondition,
    PutItem,
    PutOperation,
    RestoreOperation,
    Write,
    WriteLimits,
    WriteOutcome,
    prepare_batch,
    prepare_put,
)
from tests.support.dags import dag_document
from tests.support.documents import Tree, as_bytes

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def put_operation(
    dag_id: str,
    document: Tree | None = None,
    *,
    namespace: str = "default",
    source: str | None = None,
    provenance: Provenance = Provenance(),
    labels: Mapping[str, str] | None = None,
    precondition: Precondition | None = None,
    **fields: Any,  # arguments of dag_document
) -> PutOperation:
    """Check a Put of a document; `fields` are of `dag_document`."""
    tree = document or dag_document(dag_id, **fields)
    item = PutItem(dag_id, as_bytes(tree), source, provenance, labels, precondition)
    return prepare_put(namespace, item, WriteLimits())


def write(
    *operations: Operation,
    actor: str = "ann",
    replace: FileRef | None = None,
    request_id: str = "",
    body: str = "",
    namespace: str = "default",
) -> Write:
    """Make a write; `body` stands for what the request said, as its fingerprint."""
    return Write(namespace, actor, operations, replace, request_id, fingerprint=body)


def put(dag_id: str, *, request_id: str = "", body: str = "", **how: Any) -> Write:
    """Make a write of one Put."""
    operation = put_operation(dag_id, **how)
    return write(operation, request_id=request_id, body=body, namespace=operation.key.namespace)


def delete(dag_id: str, *, precondition: Precondition | None = None, request_id: str = "") -> Write:
    """Make a write of one Delete."""
    operation = DeleteOperation(DagKey("default", dag_id), "not needed", precondition)
    return write(operation, request_id=request_id)


def restore(dag_id: str, *, request_id: str = "") -> Write:
    """Make a write of one Restore."""
    return write(RestoreOperation(DagKey("default", dag_id)), request_id=request_id)


def replace_file(file: str, *dag_ids: str, bundle: str = "", **how: Any) -> Write:
    """Make the write that says: these are all DAGs of a file."""
    ref = FileRef(bundle, file)
    items = [PutItem(one, as_bytes(dag_document(one, **how))) for one in dag_ids]
    return write(*prepare_batch("default", items, WriteLimits(), file=ref), replace=ref)


def commit(catalog: Catalog, *writes: Write) -> list[WriteOutcome]:
    """Commit a group of which nothing may be refused."""
    return [_good(result) for result in catalog.commit(writes).results]


def commit_one(catalog: Catalog, one: Write) -> Change:
    """Commit one write of one operation; give the change that made the present state."""
    return commit(catalog, one)[0].operations[0].change


def refusal(catalog: Catalog, one: Write) -> CatalogError:
    """Commit one write that must be refused; give why."""
    [result] = catalog.commit([one]).results
    assert isinstance(result, CatalogError)
    return result


def log_of(catalog: Catalog) -> Sequence[Change]:
    """Read the whole change log."""
    return catalog.changes(after=0, limit=1_000_000)[1]


def _good(result: Result) -> WriteOutcome:
    if isinstance(result, CatalogError):
        raise result
    return result
