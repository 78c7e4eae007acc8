"""The asyncio calls that read DAGs: one, or many by name."""

from collections.abc import AsyncIterator, Iterable

from dagcatalog_client.calls import reads
from dagcatalog_client.model import (
    BatchedDag,
    Consistency,
    Dag,
    DagProfile,
    DagSelector,
    DagView,
    Diff,
    Position,
    Status,
)
from dagcatalog_client.shells.aio_base import AioShell


class AioReads(AioShell):
    """Get, one or many; diff; status."""

    async def get(
        self,
        dag_id: str,
        *,
        version: int | None = None,
        content_hash: str | None = None,
        at: Position | int | None = None,
        view: DagView = DagView.DOCUMENT,
        profile: DagProfile = DagProfile.FULL,
        if_none_match: str | None = None,
        include_deleted: bool = False,
        consistency: Consistency = Consistency.LINEARIZABLE,
        namespace: str | None = None,
        timeout_s: float | None = None,
    ) -> Dag:
        """Read one DAG: its head, a `version`, a `content_hash`, or its state `at` a revision.

        `if_none_match` is the content_hash that the caller has: if it still holds, the answer is
        `not_modified` and carries the summary only. `include_deleted` answers with a tombstone and
        its last document.

        Raises:
            DagNotFound: no such DAG, or it is deleted.
            VersionNotFound: it has no such version.
            OutOfRange: `at` is pruned, in the future, or of another epoch.

        Example:
            ```python
            dag = await client.get("etl")
            print(dag.summary.version, dag.json()["dag"])
            ```

        """
        call = reads.get(
            self._caller,
            dag_id,
            version=version,
            content_hash=content_hash,
            at=at,
            view=view,
            profile=profile,
            if_none_match=if_none_match,
            include_deleted=include_deleted,
            consistency=consistency,
            namespace=namespace,
            timeout_s=timeout_s,
        )
        return await self._unary(self._stub.Get, call)

    async def get_batch(
        self,
        selectors: Iterable[str | DagSelector],
        *,
        view: DagView = DagView.DOCUMENT,
        profile: DagProfile = DagProfile.FULL,
        consistency: Consistency = Consistency.LINEARIZABLE,
        namespace: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncIterator[BatchedDag]:
        """Read many DAGs, at most 10,000; each answer has a DAG or an error of its own.

        Answers come in the order of the selectors, while the next ones are still on their way.

        Example:
            ```python
            async for answer in client.get_batch(["etl", DagSelector("etl", version=1), "missing"]):
                print(answer.index, answer.error or answer.dag)
            ```

        """
        call = reads.get_batch(
            self._caller,
            selectors,
            view=view,
            profile=profile,
            consistency=consistency,
            namespace=namespace,
            timeout_s=timeout_s,
        )
        async for answers in self._stream(self._stub.GetBatch, call):
            for answer in answers:
                yield answer

    async def diff(
        self,
        dag_id: str,
        *,
        from_version: int | None = None,
        to_version: int | None = None,
        namespace: str | None = None,
        timeout_s: float | None = None,
    ) -> Diff:
        """Compare two versions of a DAG: tasks, edges, schedule, metadata, and every value.

        `to_version` is the head if left out; `from_version` the version before `to_version`. Only
        documents are compared, not source text, place or labels.

        Raises:
            DagNotFound: no such DAG, or it is deleted.
            VersionNotFound: it has no such version.
            InvalidArgument: `from_version` is left out, and there is none before the first.

        Example:
            ```python
            diff = await client.diff("etl", from_version=1)
            for task in diff.difference.tasks:
                print(task.kind.name, task.task_id)
            ```

        """
        call = reads.diff(
            self._caller,
            dag_id,
            from_version=from_version,
            to_version=to_version,
            namespace=namespace,
            timeout_s=timeout_s,
        )
        return await self._unary(self._stub.Diff, call)

    async def status(self, *, timeout_s: float | None = None) -> Status:
        """Read where the catalog stands: its position, counts, sizes, consumers.

        Example:
            ```python
            status = await client.status()
            print(status.position.revision, status.store)
            ```

        """
        call = reads.status(self._caller, timeout_s=timeout_s)
        return await self._unary(self._stub.Status, call)
