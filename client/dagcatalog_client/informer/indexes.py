"""Indexes of one's own over the local copy: a function from summary to keys, kept up to date."""

import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

from dagcatalog_client.informer.entry import DagKey, Entry
from dagcatalog_client.model import DagSummary

logger = logging.getLogger(__name__)

KeysOf = Callable[[DagSummary], Iterable[Hashable]]
"""The keys under which a DAG is to be found, none or many."""
Keys = Sequence[tuple[Hashable, ...]]
"""Those of one DAG, an item for each index in the order of their names."""


class Indexes:
    """All indexes of one state of the local copy. Changed under the informer's lock."""

    def __init__(self, functions: Mapping[str, KeysOf]) -> None:
        self._functions = functions
        self._places: dict[str, dict[Hashable, dict[DagKey, Entry]]] = {
            name: {} for name in functions
        }
        self._keys: dict[DagKey, Keys] = {}

    def keys_of(self, entry: Entry) -> Keys:
        """Ask the functions; done outside of any lock, since they are a caller's code."""
        return [_asked(name, of, entry) for name, of in self._functions.items()]

    def set(self, entry: Entry, keys: Keys) -> None:
        """Put a DAG where its keys say, and take it away from where it was."""
        if not self._functions:
            return
        self.remove(entry.key)
        self._keys[entry.key] = keys
        for places, found in zip(self._places.values(), keys, strict=True):
            for key in found:
                places.setdefault(key, {})[entry.key] = entry

    def remove(self, dag: DagKey) -> None:
        """Take a DAG away; one that is not there is fine."""
        for places, found in zip(self._places.values(), self._keys.pop(dag, ()), strict=False):
            for key in found:
                places[key].pop(dag, None)
                if not places[key]:
                    del places[key]

    def find(self, name: str, key: Hashable) -> Sequence[Entry]:
        """Return the DAGs under a key, by namespace and dag_id.

        Raises:
            KeyError: there is no such index.

        """
        return [entry for _, entry in sorted(self._places[name].get(key, {}).items(), key=_dag)]


def _dag(item: tuple[DagKey, Entry]) -> DagKey:
    return item[0]


def _asked(name: str, keys_of: KeysOf, entry: Entry) -> tuple[Hashable, ...]:
    """Ask one function; what it raises leaves the DAG out of this index only."""
    try:
        return tuple(dict.fromkeys(keys_of(entry.summary)))
    except Exception:
        logger.exception("index_failed index=%s dag_id=%s", name, entry.dag_id)
        return ()
