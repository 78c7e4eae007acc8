"""`CatalogDagBag`: the catalog as a mapping of dag_id to Airflow's deserialized DAG."""

import copy
from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from typing import Any, Self

from dagcatalog_airflow.deserialized import DeserializedDags
from dagcatalog_airflow.deserializing import AirflowDeserializer, Deserializer
from dagcatalog_airflow.errors import DagMissing
from dagcatalog_airflow.sources import LiveSource, PinnedSource, Source, batches
from dagcatalog_client import Client, DagProfile, DagSummary, Informer, Position

MEMORY_BYTES = 16 * 1024**2
"""Of documents; a deserialized DAG of 5 to 1,000 tasks took six times its document (3.3.2)."""


class CatalogDagBag(Mapping[str, Any]):
    """The DAGs of one namespace by dag_id, as Airflow deserializes them; no metadata database.

    Over a `Client` it is the catalog at one revision, `position`: the newest when the bag is made,
    or `at`. Summaries are read then, documents when they are asked for. Over an `Informer` it is
    always the informer's present; each iteration is of one revision, that at which it began. Both
    are used and not closed; the bag may be shared between threads.

    It is a `Mapping`: iterating gives dag_ids, as with every mapping. For the DAGs take
    `bag.values()` or `bag.items()`, which also read documents in batches. `len`, `in` and iterating
    over dag_ids deserialize nothing. Two bags are equal only if they are one.

    A DAG is Airflow's own (`SerializedDAG`), with its operators' links. It is made once a content
    and shared by all who ask, also by the bags that `at` returns: **never change one**. Those used
    last are kept, to `memory_bytes` of their documents; a DAG takes about six times its document.

    Airflow is imported when the first DAG is deserialized. `namespace`: the client's own if left
    out. `deserialize` makes the DAG of a document, in Airflow's place.

    Raises:
        DagMissing: `bag[dag_id]` of a DAG that is not there; it is a KeyError.
        DocumentUnreadable: this Airflow makes no DAG of that document.
        AirflowUnusable: there is no Airflow in this interpreter.
        OutOfRange: `at` is pruned, in the future, or of another epoch.
        NotSynced: the informer has nothing yet.
        ForkedChild: a document is not here, and this is a child of the process that had the client.

    Example:
        ```python
        bag = CatalogDagBag(client)
        for dag_id, dag in bag.items():
            print(dag_id, len(dag.tasks))
        ```

    """

    def __init__(
        self,
        catalog: Client | Informer,
        *,
        at: Position | int | None = None,
        namespace: str | None = None,
        memory_bytes: int = MEMORY_BYTES,
        deserialize: Deserializer | None = None,
    ) -> None:
        self._namespace = _one_namespace(catalog, namespace)
        self._profile, self._dag_id_prefix = DagProfile.FULL, ""
        self._client: Client
        self._source: Source
        if isinstance(catalog, Informer):
            # The past is read in the same form, so that a content means the same DAG in all bags.
            self._client = catalog.client
            self._profile = catalog.options.profile
            self._dag_id_prefix = catalog.options.dag_id_prefix
            self._source = LiveSource(catalog, self._namespace) if at is None else self._pinned(at)
        else:
            self._client = catalog
            self._source = self._pinned(at)
        self._deserialized = DeserializedDags(deserialize or AirflowDeserializer(), memory_bytes)

    def __getitem__(self, dag_id: str) -> Any:
        known = self._source.summary(dag_id)
        held = None if known is None else self._deserialized.get(known.content_hash)
        if held is not None:
            return held
        found = self._source.dag(dag_id)
        if found is None:
            raise DagMissing(self._namespace, dag_id, self.position)
        return self._deserialized.make(found.summary, found.document)

    def __iter__(self) -> Iterator[str]:
        return iter(self._source.summaries())

    def __len__(self) -> int:
        return len(self._source.summaries())

    def __contains__(self, dag_id: object) -> bool:
        return isinstance(dag_id, str) and self._source.summary(dag_id) is not None

    # Mapping compares all that is in it: every DAG would be deserialized.
    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<CatalogDagBag of {self._namespace!r}, {self._client.address}>"

    def values(self) -> ValuesView[Any]:
        """Give the DAGs by dag_id, each deserialized when it is reached; documents in batches.

        What one of them raises ends the iteration. To go on after an unreadable document, take
        them one by one: `for dag_id in bag`.
        """
        return _Values(self)

    def items(self) -> ItemsView[str, Any]:
        """Give dag_ids with their DAGs, as `values` does."""
        return _Items(self)

    @property
    def position(self) -> Position:
        """The revision that the bag is of; over an informer, where that stands now."""
        return self._source.position

    @property
    def summaries(self) -> Mapping[str, DagSummary]:
        """What the catalog's index has of each DAG, by dag_id, of one revision; no document is read.

        It is read-only and stays as it is. Over an informer, ask again for what is new.
        """
        return self._source.summaries()

    def at(self, position: Position | int) -> Self:
        """Return a bag of the past, of the same namespace; it shares the deserialized DAGs.

        Raises:
            OutOfRange: `position` is pruned, in the future, or of another epoch.

        Example:
            ```python
            before = bag.at(bag.position.revision - 1)
            print(bag.keys() - before.keys())
            ```

        """
        pinned = copy.copy(self)
        pinned._source = self._pinned(position)
        return pinned

    def version(self, dag_id: str, version: int) -> Any:
        """Return one version of a DAG, also of a deleted one, whatever revision the bag is of.

        Raises:
            DagNotFound: there never was such a DAG.
            VersionNotFound: it has no such version, or no longer.

        Example:
            ```python
            first = bag.version("etl", 1)
            print(first.task_ids)
            ```

        """
        found = self._client.get(
            dag_id, version=version, profile=self._profile, namespace=self._namespace
        )
        return self._deserialized.make(found.summary, found.document)

    def _pinned(self, at: Position | int | None) -> PinnedSource:
        return PinnedSource(
            self._client,
            self._namespace,
            at=at,
            profile=self._profile,
            dag_id_prefix=self._dag_id_prefix,
        )

    def _walk(self) -> Iterator[tuple[str, Any]]:
        """Go through the DAGs of one revision."""
        for batch in batches(self._source.summaries().values()):
            documents = self._source.documents(
                summary for summary in batch if summary.content_hash not in self._deserialized
            )
            for summary in batch:
                yield summary.dag_id, self._made(summary, documents.get(summary.content_hash))

    def _made(self, summary: DagSummary, document: bytes | None) -> Any:
        dag = self._deserialized.get(summary.content_hash)
        if dag is not None:
            return dag
        if document is None:  # it was deserialized when the batch began, and was dropped since
            document = self._source.documents([summary])[summary.content_hash]
        return self._deserialized.make(summary, document)


class _Values(ValuesView[Any]):
    _mapping: CatalogDagBag

    def __iter__(self) -> Iterator[Any]:
        return (dag for _, dag in self._mapping._walk())


class _Items(ItemsView[str, Any]):
    _mapping: CatalogDagBag

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return self._mapping._walk()


def _one_namespace(catalog: Client | Informer, given: str | None) -> str:
    namespace = catalog.namespace if given is None else given
    if namespace == "-":
        raise ValueError("a bag is of one namespace: dag_ids of several may be the same")
    if isinstance(catalog, Informer):
        followed = catalog.options.namespaces or (catalog.namespace,)
        if not {namespace, "-"} & set(followed):
            raise ValueError(f"the informer does not follow namespace {namespace!r}")
    return namespace
