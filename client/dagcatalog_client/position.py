"""Where a history stands, and the newest place that a client has seen of it."""

import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """A place in one history. Revisions of different epochs must never be compared."""

    epoch: str
    """Random id of the history; another one after a restore of the catalog."""
    revision: int
    """Number of the transaction, gapless from 1; 0: before the first."""


class LastSeen:
    """The newest position that any answer carried, so that reads never go back behind it.

    Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._position: Position | None = None

    @property
    def position(self) -> Position | None:
        """The newest position; None before the first answer."""
        return self._position

    def observe(self, position: Position) -> None:
        """Move forward to a position; one of another epoch begins a new history."""
        with self._lock:
            now = self._position
            if now is None or now.epoch != position.epoch or now.revision < position.revision:
                self._position = position

    def forget(self) -> None:
        """Begin anew, as after a restore of the catalog."""
        with self._lock:
            self._position = None
