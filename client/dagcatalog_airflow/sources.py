"""Where a bag has its documents from: one revision of the catalog, or an informer's present."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from dagcatalog_client import (
    Client,
    Dag,
    DagFilter,
    DagNotFound,
    DagProfile,
    DagSelector,
    DagSummary,
    Informer,
    NotSynced,
    Position,
)

PAGE = 1000
"""Summaries of one call: the most that the catalog sends."""
BATCH = 500
BATCH_BYTES = 8 * 1024**2
"""Of documents that are read ahead."""


class Source(Protocol):
    """One namespace of the catalog, of one revision at any moment."""

    @property
    def position(self) -> Position:
        """Which revision."""

    def summary(self, dag_id: str) -> DagSummary | None:
        """Return a DAG's summary; None: there is no such DAG."""

    def summaries(self) -> Mapping[str, DagSummary]:
        """Return all summaries, by dag_id and in its order."""

    def dag(self, dag_id: str) -> Dag | None:
        """Return a DAG with its document; None: there is no such DAG."""

    def documents(self, summaries: Iterable[DagSummary]) -> Mapping[str, bytes]:
        """Return documents by their content hash."""


class PinnedSource:
    """The DAGs of one revision. Summaries are read at once, documents when they are asked for.

    Documents are read by content hash: no later change can be seen, also once the revision itself
    can no longer be listed.
    """

    def __init__(
        self,
        client: Client,
        namespace: str,
        *,
        at: Position | int | None,
        profile: DagProfile = DagProfile.FULL,
        dag_id_prefix: str = "",
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._profile = profile
        chosen = DagFilter(dag_id_prefix=dag_id_prefix)
        page = client.list_page(chosen, at=at, page_size=PAGE, namespace=namespace)
        self._position = page.position
        found = {summary.dag_id: summary for summary in page.dags}
        while page.next_page_token:
            page = client.list_page(
                chosen,
                at=at,
                page_size=PAGE,
                page_token=page.next_page_token,
                namespace=namespace,
            )
            found.update((summary.dag_id, summary) for summary in page.dags)
        self._summaries: Mapping[str, DagSummary] = MappingProxyType(found)

    @property
    def position(self) -> Position:
        """The revision that was asked for, or that was the newest."""
        return self._position

    def summary(self, dag_id: str) -> DagSummary | None:
        """Look in memory."""
        return self._summaries.get(dag_id)

    def summaries(self) -> Mapping[str, DagSummary]:
        """Return what is in memory."""
        return self._summaries

    def dag(self, dag_id: str) -> Dag | None:
        """Ask the catalog for the document."""
        summary = self._summaries.get(dag_id)
        if summary is None:
            return None
        return Dag(summary, self.documents([summary])[summary.content_hash])

    def documents(self, summaries: Iterable[DagSummary]) -> Mapping[str, bytes]:
        """Ask the catalog for all of them in one call."""
        wanted = [DagSelector(content_hash=summary.content_hash) for summary in summaries]
        if not wanted:
            return {}
        answers = self._client.get_batch(wanted, profile=self._profile, namespace=self._namespace)
        return {answer.selector.content_hash or "": answer.unwrap().document for answer in answers}


class LiveSource:
    """What an informer has at the moment."""

    def __init__(self, informer: Informer, namespace: str) -> None:
        self._informer = informer
        self._namespace = namespace

    @property
    def position(self) -> Position:
        """Where the informer stands."""
        position = self._informer.position
        if position is None:
            raise NotSynced("the informer has had no state of the catalog yet")
        return position

    def summary(self, dag_id: str) -> DagSummary | None:
        """Look in memory."""
        try:
            return self._informer.summary(dag_id, namespace=self._namespace)
        except DagNotFound:
            return None

    def summaries(self) -> Mapping[str, DagSummary]:
        """Return what is there now; it does not change with the informer."""
        listed = self._informer.list(namespace=self._namespace)
        return MappingProxyType({summary.dag_id: summary for summary in listed})

    def dag(self, dag_id: str) -> Dag | None:
        """Return what is there now: of summary and document, neither is newer than the other."""
        try:
            return self._informer.get(dag_id, namespace=self._namespace)
        except DagNotFound:
            return None

    def documents(self, summaries: Iterable[DagSummary]) -> Mapping[str, bytes]:
        """Take each from memory, disk or the catalog, as the informer does."""
        return {
            summary.content_hash: self._informer.by_hash(
                summary.content_hash, namespace=self._namespace
            )
            for summary in summaries
        }


def batches(summaries: Iterable[DagSummary]) -> Iterator[Sequence[DagSummary]]:
    """Cut into what is read ahead together: to 500 documents, to 8 MiB, one at least."""
    batch: list[DagSummary] = []
    batch_bytes = 0
    for summary in summaries:
        full = len(batch) == BATCH or batch_bytes + summary.document_bytes > BATCH_BYTES
        if batch and full:
            yield batch
            batch, batch_bytes = [], 0
        batch.append(summary)
        batch_bytes += summary.document_bytes
    if batch:
        yield batch
