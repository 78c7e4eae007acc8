"""The local copy: what the events of a watch make of it. No waiting, no threads, no wire.

One writer prepares what an event means (nobody sees it yet), then commits it, under the lock of
whoever owns the mirror. Readers see the state before or after an event, never between: a revision's
changes are committed together, and a new initial state takes the old one's place at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dagcatalog_client.errors import OutOfRange
from dagcatalog_client.informer.entry import DagKey, Entry
from dagcatalog_client.informer.events import (
    Changes,
    Effect,
    MirrorEvent,
    State,
    added,
    deleted,
    updated,
)
from dagcatalog_client.informer.indexes import Indexes, Keys, KeysOf
from dagcatalog_client.model import Bookmark, Position

Dags = dict[str, dict[str, Entry]]
"""By namespace, then dag_id."""


@dataclass(slots=True)
class Kept:
    """One state of the local copy, whole."""

    position: Position
    dags: Dags
    indexes: Indexes

    def find(self, key: DagKey) -> Entry | None:
        """Return a DAG, or None."""
        return self.dags.get(key[0], {}).get(key[1])

    def entries(self) -> list[Entry]:
        """Return every DAG."""
        return [entry for dags in self.dags.values() for entry in dags.values()]


@dataclass(frozen=True, slots=True)
class Update:
    """What an event means: prepared, not seen by anybody yet."""

    position: Position | None = None
    """Where the local copy stands after it; None: nothing is known from it yet."""
    effects: Iterable[Effect] = ()
    """Of a new state they are found while they are read: before the next event, or never."""
    keys: Sequence[Keys] = ()
    """Of the indexes, an item for each effect."""
    replacement: Kept | None = None
    """A whole new state, for a synced initial state."""


@dataclass(slots=True)
class Mirror:
    """A local copy that follows a watch."""

    functions: Mapping[str, KeysOf] = field(default_factory=dict)
    """Of the indexes; must not change once there is a state."""
    kept: Kept | None = None
    """None before the first SYNCED."""
    _staged: Dags | None = None
    _relist: bool = False

    def begin(self) -> Position | None:
        """Begin another watch: return what it is to follow; None: it begins with the present."""
        resume = self.kept is not None and not self._relist
        self._staged = None if resume else {}
        return self.kept.position if self.kept is not None and resume else None

    def relist(self) -> None:
        """Begin with the present next time; until that is whole the old state is served."""
        self._relist = True

    def load(self, position: Position, entries: Iterable[Entry]) -> Update:
        """Prepare a state that was kept elsewhere."""
        return self._replace(position, _by_name(entries))

    def prepare(self, event: MirrorEvent) -> Update:
        """Tell what an event means; events come in the order of their watch.

        Raises:
            OutOfRange: it cannot follow what is here: another epoch, or the past. `relist`.

        """
        match event:
            case State():
                self._stage(event.entries)
                return Update()
            case Changes():
                return self._follow(event)
            case Bookmark():
                return self._mark(event)

    def commit(self, update: Update) -> None:
        """Make an update what everybody sees. Under the owner's lock."""
        if update.replacement is not None:
            self.kept, self._staged, self._relist = update.replacement, None, False
            return
        if self.kept is None or update.position is None:
            return
        for effect, keys in zip(update.effects, update.keys, strict=True):
            _apply(self.kept, effect, keys)
        self.kept.position = update.position

    def _stage(self, entries: Iterable[Entry]) -> None:
        if self._staged is None:
            raise OutOfRange("a watch that resumes has no initial state")
        _place(self._staged, entries)

    def _mark(self, bookmark: Bookmark) -> Update:
        if self._staged is None:
            return Update(position=self._forward(bookmark.position))
        if bookmark.synced:
            return self._replace(bookmark.position, self._staged)
        return Update()  # the server drains in the middle of the initial state

    def _follow(self, event: Changes) -> Update:
        kept = self.kept
        if kept is None or self._staged is not None:
            raise OutOfRange("changes came before the state that they change")
        position = self._forward(event.position)
        if event.position.revision <= kept.position.revision:
            return Update(position=position)  # a watch that resumes may repeat
        effects = list(_effects(kept, event))
        keys = [[] if one.new is None else kept.indexes.keys_of(one.new) for one in effects]
        return Update(position, effects, keys)

    def _forward(self, position: Position) -> Position:
        """Return the newer of a position and our own, which must be of one history."""
        if self.kept is None:
            return position
        own = self.kept.position
        if position.epoch != own.epoch:
            raise OutOfRange(f"the catalog went from epoch {own.epoch} to {position.epoch}")
        return position if position.revision > own.revision else own

    def _replace(self, position: Position, dags: Dags) -> Update:
        """Prepare a new state in the place of the old one, and tell the difference."""
        old = self.kept
        if old is not None:
            _check_forward(old.position, position)
            _keep_same(old.dags, dags)
        new = Kept(position, dags, Indexes(self.functions))
        if self.functions:
            for entry in new.entries():
                new.indexes.set(entry, new.indexes.keys_of(entry))
        return Update(position, _difference(old, new), replacement=new)


def _check_forward(old: Position, new: Position) -> None:
    if new.epoch == old.epoch and new.revision < old.revision:
        raise OutOfRange(
            f"the catalog is at revision {new.revision}, before {old.revision}, which was served"
        )


def _by_name(entries: Iterable[Entry]) -> Dags:
    return _place({}, entries)


def _place(dags: Dags, entries: Iterable[Entry]) -> Dags:
    place: dict[str, Entry] = {}
    namespace = None
    for entry in entries:  # they come by namespace
        if entry.namespace != namespace:
            namespace = entry.namespace
            place = dags.setdefault(namespace, {})
        place[entry.dag_id] = entry
    return dags


def _keep_same(old: Dags, new: Dags) -> None:
    """Keep the entries that did not change, with what was decoded of them."""
    for namespace, dags in new.items():
        before = old.get(namespace, {})
        for dag_id, entry in dags.items():
            known = before.get(dag_id)
            if known is not None and known.raw == entry.raw:
                dags[dag_id] = known


def _difference(old: Kept | None, new: Kept) -> Iterable[Effect]:
    for entry in new.entries():
        known = None if old is None else old.find(entry.key)
        if known is None:
            yield added(entry)
        elif known.raw != entry.raw:
            yield updated(known, entry)
    for entry in () if old is None else old.entries():
        if new.find(entry.key) is None:
            yield deleted(entry)


def _effects(kept: Kept, event: Changes) -> Iterable[Effect]:
    """Tell each change's effect; a set may change the same DAG twice."""
    seen: dict[DagKey, Entry | None] = {}
    for change in event.changes:
        key = change.entry.key
        before = seen[key] if key in seen else kept.find(key)
        seen[key] = None if change.deleted else change.entry
        if not change.deleted:
            yield added(change.entry) if before is None else updated(before, change.entry)
        elif before is not None:
            yield deleted(before)


def _apply(kept: Kept, effect: Effect, keys: Keys) -> None:
    if effect.new is not None:
        kept.dags.setdefault(effect.new.namespace, {})[effect.new.dag_id] = effect.new
        kept.indexes.set(effect.new, keys)
    elif effect.old is not None:
        del kept.dags[effect.old.namespace][effect.old.dag_id]
        kept.indexes.remove(effect.old.key)
