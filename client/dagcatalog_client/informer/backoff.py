"""How long to wait before the next attempt: full jitter, so that a crowd does not come at once."""

import random as chance
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_DOUBLINGS = 30
"""Enough for any cap, and no overflow after a week of failures."""


@dataclass(slots=True)
class Backoff:
    """Waits between 0 and a bound that doubles with every failure in a row, up to a cap.

    Full jitter spreads a crowd best: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    base_s: float = 0.2
    """Bound of the first wait."""
    cap_s: float = 2.0
    """Bound of every wait."""
    random: Callable[[], float] = field(default=chance.random, repr=False)
    """Gives 0 to 1."""
    failures: int = 0

    def next_s(self, at_least_s: float | None = None) -> float:
        """Return the next wait; `at_least_s` is what the server asked for, to the cap."""
        bound = min(self.cap_s, self.base_s * 2.0 ** min(self.failures, MAX_DOUBLINGS))
        self.failures += 1
        return min(at_least_s or 0.0, self.cap_s) + bound * self.random()

    def reset(self) -> None:
        """Begin anew: the last attempt came to something."""
        self.failures = 0
