"""What both informers answer without a call, and what is set before they start."""

from collections.abc import Callable, Hashable, Sequence

from dagcatalog_client.informer.entry import Entry
from dagcatalog_client.informer.events import EffectKind
from dagcatalog_client.informer.indexes import KeysOf
from dagcatalog_client.informer.storing import InformerDocuments
from dagcatalog_client.model import DagSummary


class InformerReads(InformerDocuments):
    """Reads of memory; indexes and handlers."""

    def summary(self, dag_id: str, *, namespace: str | None = None) -> DagSummary:
        """Return a DAG's summary; it is always in memory.

        Raises:
            DagNotFound: no such DAG.
            NotSynced: there is no local copy yet.

        Example:
            ```python
            print(informer.summary("etl").version)
            ```

        """
        return self._entry(dag_id, namespace).summary

    def list(self, *, namespace: str | None = None) -> Sequence[DagSummary]:
        """Return the summaries of all DAGs by namespace and dag_id, all of one position.

        No `namespace`: of every namespace that is followed.

        Raises:
            NotSynced: there is no local copy yet.

        Example:
            ```python
            for summary in informer.list():
                print(summary.dag_id, summary.version)
            ```

        """
        with self._lock:
            entries = self._kept().entries()
        chosen = [one for one in entries if namespace is None or one.namespace == namespace]
        return [one.summary for one in sorted(chosen, key=_key)]

    def by_index(self, name: str, key: Hashable) -> Sequence[DagSummary]:
        """Return the summaries of the DAGs that an index has under a key, by namespace and dag_id.

        Raises:
            KeyError: no index has that name.
            NotSynced: there is no local copy yet.

        Example:
            ```python
            for summary in informer.by_index("owner", "data-team"):
                print(summary.dag_id)
            ```

        """
        with self._lock:
            entries = self._kept().indexes.find(name, key)
        return [one.summary for one in entries]

    def add_index(self, name: str, keys_of: KeysOf) -> None:
        """Keep an index: `keys_of` tells from a summary under which keys the DAG is found.

        It is asked once for each change, while nobody waits for a lock. What it raises is logged,
        and leaves the DAG out of the index. Every summary is decoded for it.

        Raises:
            RuntimeError: the informer was started already.

        """
        if self._started:
            raise RuntimeError("an index is added before the informer starts")
        self._functions[name] = keys_of

    def add_handler(
        self,
        *,
        added: Callable[[DagSummary], object] | None = None,
        updated: Callable[[DagSummary, DagSummary], object] | None = None,
        deleted: Callable[[DagSummary], object] | None = None,
    ) -> None:
        """Call functions when a DAG is added (new), updated (old, new) or deleted (old).

        They are called one after the other, in the order of the changes, by the one who reads the
        watch: the local copy already holds the change, later ones wait until the handler returns.
        A handler that has much to do hands it on. What it raises is logged and changes nothing. The
        first state is told as added DAGs; after a gap the difference is told. A handler hears of
        what comes after it was added.
        """
        given = {
            EffectKind.ADDED: added,
            EffectKind.UPDATED: updated,
            EffectKind.DELETED: deleted,
        }
        with self._lock:
            for kind, handler in given.items():
                if handler is not None:
                    self._handlers[kind] = (*self._handlers[kind], handler)


def _key(entry: Entry) -> tuple[str, str]:
    return entry.key
