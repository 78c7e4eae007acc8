"""One caller of the service: whom it asks, what it draws, and what it was told last."""

import random
from collections import deque
from itertools import count

from tests.faults.checking.history import (
    Head,
    History,
    Key,
    WriteOp,
)
from tests.faults.running.cluster import Cluster, Replica
from tests.support.wire import Api

NAMESPACES = ("left", "right")
FILES = "ab"
DAGS_OF_A_FILE = 3
KEYS = [(one, f"{file}{n}") for one in NAMESPACES for file in FILES for n in range(DAGS_OF_A_FILE)]
TIMEOUT_S = 1.0
REMEMBERED = 20
MAX_STEPS_BACK = 40


class Caller:
    """What writing and reading have in common. What comes next is drawn from `source`."""

    def __init__(
        self,
        name: str,
        side: str,
        cluster: Cluster,
        history: History,
        source: random.Random,
        *,
        repeats: bool,
    ) -> None:
        self.name = name
        self._side = side
        self._cluster = cluster
        self._history = history
        self._source = source
        self._repeats = repeats
        self._numbers = count(1)
        self._documents: dict[str, bytes] = {}
        self._known: dict[Key, Head] = {}
        self._revision = 0
        """The highest that it was told."""
        self._acknowledged: deque[WriteOp] = deque(maxlen=REMEMBERED)

    def _key(self) -> Key:
        return self._source.choice(KEYS)

    def _replica(self) -> Replica:
        return self._source.choice(self._cluster.replicas)

    def _api(self, replica: Replica) -> Api:
        return self._cluster.api(self._side, replica)

    def _request_id(self) -> str:
        return f"{self.name}-{next(self._numbers)}"

    def _past(self) -> int:
        return max(0, self._revision - self._source.randrange(MAX_STEPS_BACK))

    def _learn(self, revision: int, *heads: Head) -> None:
        self._revision = max(self._revision, revision)
        for one in heads:
            known = self._known.get(one.key)
            if known is None or known.revision <= one.revision:
                self._known[one.key] = one
