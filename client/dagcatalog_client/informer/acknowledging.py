"""Which position is told to the catalog next: the newest that was applied, one call at a time."""

from dataclasses import dataclass

from dagcatalog_client.position import Position

INTERVAL_S = 0.02
"""Between two acknowledgements: what was applied meanwhile goes in one call."""


@dataclass(slots=True)
class Acknowledged:
    """What was applied, and what of it the catalog knows."""

    applied: Position | None = None
    told: Position | None = None
    _round: int = 0

    def begin(self) -> None:
        """Begin with the present: the catalog takes it that nothing is applied."""
        self.applied = self.told = None
        self._round += 1

    def next(self) -> tuple[Position, int] | None:
        """Return what is to be told, and in which round; None: the catalog knows."""
        if self.applied is None or self.applied == self.told:
            return None
        return self.applied, self._round

    def done(self, position: Position, told_in: int) -> None:
        """Note that the catalog knows, unless it has begun anew meanwhile."""
        if told_in == self._round:
            self.told = position
