"""The blocking calls about history as a whole."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from dagcatalog_client.calls import history
from dagcatalog_client.model import Precondition, PruneResult, PutResult, VerifyProgress
from dagcatalog_client.shells.sync_base import SyncShell


class SyncHistory(SyncShell):
    """Rollback, prune, verify."""

    def rollback(
        self,
        dag_id: str,
        version: int,
        *,
        reason: str = "",
        precondition: Precondition | None = None,
        request_id: str | None = None,
        namespace: str | None = None,
        timeout_s: float | None = None,
    ) -> PutResult:
        """Put an old version's document, source, provenance and labels back as a new version.

        The outcome is UNCHANGED if the DAG is defined so already. A deleted DAG comes back. `reason`,
        to 255 characters, is kept as the label "rollback-reason".

        Raises:
            VersionNotFound: the DAG has no such version, or it was pruned.
            DagNotFound: there never was such a DAG.
            PreconditionFailed: the head is not what `precondition` expects.

        Example:
            ```python
            result = client.rollback("etl", 1, reason="version 2 loads twice")
            print(result.outcome.name, result.summary.version)
            ```

        """
        call = history.rollback(
            self._caller,
            dag_id,
            version,
            reason=reason,
            precondition=precondition,
            request_id=request_id,
            namespace=namespace,
            timeout_s=timeout_s,
        )
        return self._unary(self._stub.Rollback, call)

    def prune(
        self,
        *,
        keep_versions: int = 0,
        keep_for: timedelta | None = None,
        pinned_hashes: Sequence[str] = (),
        compact_revision: int = 0,
        validate_only: bool = False,
        namespace: str | None = None,
        timeout_s: float | None = None,
    ) -> PruneResult:
        """Drop versions that no rule keeps, and the content that nothing points at any more.

        Kept are each DAG's newest `keep_versions`, those that were the head within `keep_for`, and
        every head. With neither, all versions stay. Rows of the change log that ended at
        `compact_revision` or before are forgotten too. `pinned_hashes` (to 1,000) are contents that
        stay. A past in which something is missing can no longer be read: it is before the answer's
        `compacted_revision`, for every namespace. `validate_only` tells what would go. Waits for all
        of it, an hour at most unless `timeout_s` is given; repeating it goes on.

        Raises:
            OutOfRange: `compact_revision` is in the future.

        Example:
            ```python
            would = client.prune(keep_versions=20, validate_only=True)
            print(would.version_count, would.stored_bytes)
            ```

        """
        call = history.prune(
            self._caller,
            keep_versions=keep_versions,
            keep_for=keep_for,
            pinned_hashes=pinned_hashes,
            compact_revision=compact_revision,
            validate_only=validate_only,
            namespace=namespace,
            timeout_s=timeout_s,
        )
        return self._unary(self._stub.Prune, call)

    def verify(
        self, *, namespace: str | None = None, timeout_s: float | None = None
    ) -> Iterator[VerifyProgress]:
        """Check every stored content against its hash; tells now and then how far that is.

        Writes go on meanwhile. The last one is `done`; leaving earlier ends it.

        Example:
            ```python
            for progress in client.verify(namespace="-"):
                for blob in progress.corrupt:
                    print(blob.hash, blob.message, blob.dag_ids)
            ```

        """
        call = history.verify(self._caller, namespace=namespace, timeout_s=timeout_s)
        yield from self._stream(self._stub.Verify, call)
