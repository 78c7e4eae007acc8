"""A mirror next to the truth: a catalog's history told with breaks, repeats, relists and conflation.

The model is the server's promises (DAGs as of each revision; a watch from a position, or with the
present; OUT_OF_RANGE for what is compacted, of another epoch or of the future). Whatever the order of
things, at a quiet point the mirror is the truth; it never goes back within an epoch; what is served
is always one state that the catalog had; and handlers who only add up what they heard have the same.
"""

import itertools
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dagcatalog_client import Bookmark, OutOfRange, Position
from dagcatalog_client.informer.entry import Entry
from dagcatalog_client.informer.events import Changes, EffectKind, Happened, MirrorEvent, State
from dagcatalog_client.informer.mirror import Mirror
from tests.support.entries import content_hash, document, entry

Truth = dict[str, bytes]
"""dag_id to encoded summary."""
TEXT_NAMES = ("a", "b", "c", "d")
TEXTS = ("x", "y")
NAMES = st.sampled_from(TEXT_NAMES)
PAGE = 1


@dataclass
class Catalog:
    """A history: what each revision changed, and the state after it."""

    epoch: str = "e1"
    sets: list[list[Happened]] = field(default_factory=list)
    states: list[dict[str, Entry]] = field(default_factory=lambda: [{}])
    compacted: int = 0

    @property
    def revision(self) -> int:
        return len(self.sets)

    def write(self, changes: list[tuple[str, str]]) -> None:
        """Put or delete ("") some DAGs in one revision."""
        state, made = dict(self.states[-1]), []
        for name, text in changes:
            made.append(Happened(entry(name, self.revision + 1, text=text), deleted=not text))
            if text:
                state[name] = made[-1].entry
            else:
                state.pop(name, None)
        self.sets.append(made)
        self.states.append(state)

    def restored(self, revision: int) -> "Catalog":
        """Become another history that begins in the past of this one."""
        states, sets = self.states[: revision + 1], self.sets[:revision]
        return Catalog(f"e{int(self.epoch[1:]) + 1}", list(sets), list(states), 0)

    def check(self, after: Position, now: int) -> None:
        """Refuse a position as a replica at revision `now` does."""
        if after.epoch != self.epoch or not self.compacted <= after.revision <= now:
            raise OutOfRange("list again")


class Watched(RuleBasedStateMachine):
    """One mirror that watches one catalog, which may be behind, cut off, compacted or restored."""

    def __init__(self) -> None:
        super().__init__()
        self.catalog = Catalog()
        self.behind = 0
        self.mirror = Mirror({"text": lambda summary: [summary.content_hash]})
        self.waiting: list[MirrorEvent] | None = None
        self.told = 0
        self.heard: Truth = {}
        self.past: dict[str, int] = {}

    # --- the catalog ---

    @rule(changes=st.lists(st.tuples(NAMES, st.sampled_from(["", *TEXTS])), min_size=1, max_size=4))
    def write(self, changes: list[tuple[str, str]]) -> None:
        self.catalog.write(changes)

    @rule(share=st.floats(0, 1))
    def compact(self, share: float) -> None:
        self.catalog.compacted = max(self.catalog.compacted, int(self.catalog.revision * share))

    @rule(share=st.floats(0, 1))
    def restore(self, share: float) -> None:
        self.catalog = self.catalog.restored(int(self.catalog.revision * share))
        self.waiting = None  # the server ended

    @rule(revisions=st.integers(0, 3))
    def fall_behind(self, revisions: int) -> None:
        """The replica that is asked next has not seen the last revisions."""
        self.behind = revisions

    # --- the watch ---

    @precondition(lambda self: self.waiting is None)
    @rule()
    def connect(self) -> None:
        after = self.mirror.begin()
        now = max(0, self.catalog.revision - self.behind)
        if after is None:
            self.waiting, self.told = self._present(now), now
            return
        try:
            self.catalog.check(after, now)
        except OutOfRange:
            self.mirror.relist()
        else:
            self.waiting, self.told = [], after.revision

    @rule()
    def cut(self) -> None:
        self.waiting = None

    @precondition(lambda self: self.waiting is not None)
    @rule(count=st.integers(1, 4), conflate=st.booleans(), repeat=st.integers(0, 3))
    def read(self, count: int, conflate: bool, repeat: int) -> None:
        self._tell_more(conflate=conflate, repeat=repeat)
        for _ in range(count):
            if self.waiting:
                self._take(self.waiting.pop(0))

    # --- what must hold ---

    @rule()
    def quiet(self) -> None:
        """Let everything be told: the mirror is the truth."""
        self.behind = 0
        for _ in range(4):  # resume, be refused, take the present
            if self.waiting is None:
                self.connect()
            if self.waiting is not None:
                self._tell_more(conflate=False, repeat=0)
            while self.waiting:
                self._take(self.waiting.pop(0))
        assert self.mirror.kept is not None
        assert self.mirror.kept.position == Position(self.catalog.epoch, self.catalog.revision)
        assert self._own() == encoded(self.catalog.states[-1])

    @invariant()
    def what_was_heard_adds_up(self) -> None:
        assert self.heard == self._own()

    @invariant()
    def the_index_says_the_same(self) -> None:
        if self.mirror.kept is not None:
            by_text: dict[str, list[Entry]] = {}
            for one in self.mirror.kept.entries():
                by_text.setdefault(one.content_hash, []).append(one)
            for name, text in itertools.product(TEXT_NAMES, TEXTS):
                key = content_hash(document(name, text))
                assert [*self.mirror.kept.indexes.find("text", key)] == by_text.get(key, [])

    # --- how it is done ---

    def _own(self) -> Truth:
        kept = self.mirror.kept
        return {} if kept is None else {one.dag_id: one.raw for one in kept.entries()}

    def _present(self, revision: int) -> list[MirrorEvent]:
        at = Position(self.catalog.epoch, revision)
        entries = [one for _, one in sorted(self.catalog.states[revision].items())]
        pages = [entries[start : start + PAGE] for start in range(0, len(entries), PAGE)]
        return [*(State(at, page) for page in pages), Bookmark(at, synced=True, draining=False)]

    def _tell_more(self, *, conflate: bool, repeat: int) -> None:
        """Queue what the watch has not been told yet."""
        assert self.waiting is not None
        if not self.waiting:
            self.told -= min(self.told, repeat)
        first, last = self.told, self.catalog.revision
        if conflate and last - first > 1:
            merged = {
                one.entry.dag_id: one for each in self.catalog.sets[first:last] for one in each
            }
            self.waiting.append(Changes(Position(self.catalog.epoch, last), [*merged.values()]))
        else:
            for revision in range(first + 1, last + 1):
                at = Position(self.catalog.epoch, revision)
                self.waiting.append(Changes(at, self.catalog.sets[revision - 1]))
        self.waiting += [Bookmark(Position(self.catalog.epoch, last), synced=False, draining=False)]
        self.told = last

    def _take(self, event: MirrorEvent) -> None:
        try:
            update = self.mirror.prepare(event)
        except OutOfRange:
            self.mirror.relist()
            self.waiting = None
            return
        self.mirror.commit(update)
        self._check_step()
        for effect in update.effects:
            self._hear(effect.kind, effect.old, effect.new)

    def _check_step(self) -> None:
        """See that what is served is a state that the catalog had, and no step back."""
        kept = self.mirror.kept
        if kept is not None:
            position = kept.position
            assert position.revision >= self.past.get(position.epoch, 0)
            self.past[position.epoch] = position.revision
            if position.epoch == self.catalog.epoch:
                assert self._own() == encoded(self.catalog.states[position.revision])

    def _hear(self, kind: EffectKind, old: Entry | None, new: Entry | None) -> None:
        """Add up, and see that what is told fits what was told before."""
        if old is not None:
            assert self.heard.pop(old.dag_id) == old.raw
        if new is not None:
            assert new.dag_id not in self.heard
            self.heard[new.dag_id] = new.raw
        assert kind is {(False, True): EffectKind.ADDED, (True, True): EffectKind.UPDATED}.get(
            (old is not None, new is not None), EffectKind.DELETED
        )


def encoded(state: dict[str, Entry]) -> Truth:
    return {name: one.raw for name, one in state.items()}


TestWatched = Watched.TestCase
TestWatched.settings = settings(max_examples=250, stateful_step_count=50, deadline=None)
