"""A catalog over the memory store, with a clock that tests move."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.store.memory import MemoryStore
from tests.support.writes import NOW


@dataclass
class WallClock:
    """The time as the catalog sees it."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **how: float) -> datetime:
        self.now += timedelta(**how)
        return self.now


@pytest.fixture
def wall_clock() -> WallClock:
    return WallClock()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def catalog(store: MemoryStore, wall_clock: WallClock) -> Catalog:
    return Catalog(store, now=wall_clock)
