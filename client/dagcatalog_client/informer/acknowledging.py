"""Which position is told to the catalog next: the newest that was applied, one call at a time."""

from dataclasses import dataclass

from dagcatalog_client.position import Position

INTERVAL_S = 0.02
"""Between two acknowledgements of one namespace: what was applied meanwhile goes in one call."""


@dataclass(slots=True)
class Acknowledged:
    """What was applied, and what of it the catalog knows."""

    applied: Position | None = None
    told: Position | None = None

    def next(self) -> Position | None:
        """Return what is to be told; None: the catalog knows."""
        return None if self.applied == self.told else self.applied
