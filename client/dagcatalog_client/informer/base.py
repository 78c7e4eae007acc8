"""What both informers do with a watch: what to ask, what an event does, what a failure does.

The shells own the watch and the calls, and wait.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from dagcatalog_client.errors import CatalogError, OutOfRange, Unavailable
from dagcatalog_client.informer.events import Effect, MirrorEvent
from dagcatalog_client.informer.reading import InformerReads
from dagcatalog_client.model import Bookmark, DagView, Position

logger = logging.getLogger(__name__)


class Turn(Enum):
    """What a shell does after an event."""

    GO_ON = "read the next event"
    FILL = "watch on with documents, and fetch those that are missing"
    MOVE = "the server drains: watch on elsewhere"


@dataclass(frozen=True, slots=True)
class Ask:
    """What the next watch asks for."""

    after: Position | None
    """None: the present."""
    view: DagView


class InformerCore(InformerReads):
    """All of an informer but its waiting."""

    def _ask(self) -> Ask:
        """Begin another watch. What has documents already asks for summaries, then for the rest."""
        after = self._mirror.begin()
        warm = self._mirror.kept is not None or (self._disk is not None and not self._disk.empty())
        return Ask(after, DagView.SUMMARY if after is None and warm else self._view)

    def _take(self, event: MirrorEvent, ask: Ask) -> tuple[Turn, Iterable[Effect]]:
        """Apply an event; return what comes next, and what the handlers are to hear.

        Raises:
            OutOfRange: the event cannot follow what is here.

        """
        if not isinstance(event, Bookmark) and event.documents:
            with self._lock:
                self._documents.put_all(event.documents)
            if self._keeper is not None:
                self._keeper.offer(*(content_hash for content_hash, _ in event.documents))
        update = self._mirror.prepare(event)
        with self._lock:
            self._mirror.commit(update)
            if update.position is not None:
                self._contact_s = self._clock()
                self._synced, self._failure = True, None
                self._notice()
        if update.position is not None:
            self._backoff.reset()
        if isinstance(event, Bookmark) and event.draining:
            return Turn.MOVE, update.effects
        if update.replacement is not None:
            if self._keeper is not None:
                self._keeper.snapshot_soon()
            if ask.view is not self._view:
                return Turn.FILL, update.effects
        return Turn.GO_ON, update.effects

    def _failed(self, error: CatalogError) -> float:
        """Note what ended a watch; return how long to wait before the next."""
        if isinstance(error, OutOfRange):
            self._mirror.relist()
        with self._lock:
            self._failure = error
            self._notice()
        logger.info("watch_broken failures=%d error=%s", self._backoff.failures + 1, error)
        return self._backoff.next_s(error.retry_after_s if isinstance(error, Unavailable) else None)

    def _heard(self, effects: Iterable[Effect]) -> Iterable[tuple[Callable[..., Any], Effect]]:
        """Pair each effect with who is to hear of it."""
        if any(self._handlers.values()):
            for effect in effects:
                for handler in self._handlers[effect.kind]:
                    yield handler, effect


def is_refusal(error: CatalogError | None) -> bool:
    """Tell whether waiting will hardly help."""
    return error is not None and error.code in (
        "INVALID_ARGUMENT",
        "UNAUTHENTICATED",
        "PERMISSION_DENIED",
        "UNIMPLEMENTED",
    )
