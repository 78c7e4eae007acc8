"""The blocking calls that change the catalog."""

from collections.abc import Mapping, Sequence

from dagcatalog_client.calls import writes
from dagcatalog_client.model import (
    BatchResult,
    Document,
    ParseResult,
    Precondition,
    Provenance,
    PutItem,
    PutResult,
    ReplaceFile,
    WriteResult,
)
from dagcatalog_client.shells.sync_base import SyncShell


class SyncWrites(SyncShell):
    """Put, delete, restore, report."""

    def put(
        self,
        dag_id: str,
        document: Document,
        *,
        source: str | None = None,
        provenance: Provenance | None = None,
        labels: Mapping[str, str] | None = None,
        precondition: Precondition | None = None,
        request_id: str | None = None,
        validate_only: bool = False,
        namespace: str | None = None,
        timeout_s: float | None = None,
    ) -> PutResult:
        """Store one DAG; the same definition put again is UNCHANGED and writes nothing.

        `source` is the text of the DAG file. `request_id` names this write, to 128 characters; the
        client makes one if it is left out. `validate_only` checks everything and writes nothing;
        `difference` then says what the write would change, if the DAG is there.

        Raises:
            InvalidArgument: the document or a field is wrong; `field_path` says where.
            PreconditionFailed: the head is not what `precondition` expects.

        Example:
            ```python
            document = {"__version": 1, "dag": {"dag_id": "etl", "tasks": []}}
            result = client.put("etl", document, source="# etl.py")
            print(result.outcome.name, result.summary.version)
            ```

        """
        item = PutItem(dag_id, document, source, provenance, labels, precondition)
        call = writes.put(
            self._caller,
            item,
            request_id=request_id,
            validate_only=validate_only,
            namespace=namespace,
            timeout_s=timeout_s,
        )
        return self._unary(self._stub.Put, call)

    def put_batch(
        self,
        items: Sequence[PutItem],
        *,
        replace: ReplaceFile | None = None,
        source: str | None = None,
        request_id: str | None = None,
        validate_only: bool = False,
        namespace: str | None = None,
        timeout_s: float | None = None,
    ) -> BatchResult:
        """Store several DAGs in one revision, all or none; at most 1,000.

        With `replace` the items are all DAGs of that file: its others get a tombstone. `source` is
        the text of the file, for items that bring none.

        Raises:
            InvalidArgument: an item is wrong; `field_path` says which and where.
            PreconditionFailed: the head of one is not what its precondition expects.

        Example:
            ```python
            items = [PutItem("a", {"__version": 1, "dag": {"dag_id": "a", "tasks": []}})]
            result = client.put_batch(items, replace=ReplaceFile("dags/a.py"))
            print(len(result.results), len(result.deleted))
            ```

        """
        call = writes.put_batch(
            self._caller,
            items,
            replace=replace,
            source=source,
            request_id=request_id,
            validate_only=validate_only,
            namespace=namespace,
            timeout_s=timeout_s,
        )
        return self._unary(self._stub.PutBatch, call)

    def delete(
        self,
        dag_id: str,
        *,
        reason: str = "",
        precondition: Precondition | None = None,
        request_id: str | None = None,
        namespace: str | None = None,
        timeout_s: float | None = None,
    ) -> WriteResult:
        """Set a tombstone; the history stays, and `restore` takes it away again.

        `reason` is kept with the tombstone, to 1,000 characters.

        Raises:
            DagNotFound: there is no such DAG, or it is deleted already.
            PreconditionFailed: the head is not what `precondition` expects.

        Example:
            ```python
            gone = client.delete("etl", reason="replaced by etl2")
            print(gone.summary.deleted)
            ```

        """
        call = writes.delete(
            self._caller,
            dag_id,
            reason=reason,
            precondition=precondition,
            request_id=request_id,
            namespace=namespace,
            timeout_s=timeout_s,
        )
        return self._unary(self._stub.Delete, call)

    def restore(
        self,
        dag_id: str,
        *,
        request_id: str | None = None,
        namespace: str | None = None,
        timeout_s: float | None = None,
    ) -> WriteResult:
        """Bring a deleted DAG back at the version it had.

        Raises:
            DagNotFound: there never was such a DAG.
            NotDeleted: it is there.

        Example:
            ```python
            client.delete("etl")
            print(client.restore("etl").summary.version)
            ```

        """
        call = writes.restore(
            self._caller,
            dag_id,
            request_id=request_id,
            namespace=namespace,
            timeout_s=timeout_s,
        )
        return self._unary(self._stub.Restore, call)

    def report_parse(
        self,
        results: Sequence[ParseResult],
        *,
        bundle_name: str = "",
        bundle_version: str = "",
        complete: bool = False,
        namespace: str | None = None,
        timeout_s: float | None = None,
    ) -> int:
        """Replace the parse errors of files, and return how many the bundle has now.

        At most 1,000 results. With `complete` they are all files of the bundle: errors of other
        files are cleared. Repeating a report changes nothing.

        Example:
            ```python
            broken = ParseResult("dags/a.py", ParseFailure("name 'x' is not defined", line=3))
            print(client.report_parse([broken, ParseResult("dags/b.py")]))
            ```

        """
        call = writes.report_parse(
            self._caller,
            results,
            bundle_name=bundle_name,
            bundle_version=bundle_version,
            complete=complete,
            namespace=namespace,
            timeout_s=timeout_s,
        )
        return self._unary(self._stub.ReportParse, call)
