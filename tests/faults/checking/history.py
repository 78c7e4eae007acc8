"""What clients asked of a catalog and what they were told, with the times: the checkers' evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TypeAlias

from tests.faults.checking.violations import Violation

Key: TypeAlias = tuple[str, str]
"""Namespace and dag_id."""

BUNDLE = "faults"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the change log, as it is stored or as a watch tells it."""

    revision: int
    ordinal: int
    kind: int
    classes: tuple[int, ...]
    key: Key
    version: int
    content_hash: str
    deleted: bool = False
    reason: str = ""
    """Of a tombstone."""
    writer: str = ""
    """request_id of the put that made the state, which a tombstone keeps: a label of the DAG."""


@dataclass(frozen=True, slots=True)
class Head:
    """What an answer says that a DAG is."""

    key: Key
    revision: int
    version: int
    content_hash: str
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Expected:
    """A precondition: one of the two; version 0 or no hash: the DAG must not be there."""

    version: int | None = None
    content_hash: str | None = None

    def holds(self, version: int, content_hash: str) -> bool:
        """Tell whether it holds for a live DAG; 0 and no hash: it is not there."""
        if self.version is not None:
            return self.version == version
        return self.content_hash == content_hash


@dataclass(frozen=True, slots=True)
class Put:
    """One DAG of a write, labelled with its request_id. Another content is another definition."""

    key: Key
    file: str
    content_hash: str
    expected: Expected | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """Puts in one revision, of the whole file if `replace` names it; or the deletion of one DAG.

    A deletion's reason is its request_id.
    """

    request_id: str
    namespace: str
    puts: tuple[Put, ...] = ()
    replace: str = ""
    delete: str = ""
    expected: Expected | None = None
    """Of the deletion."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An error that the service itself answered."""

    code: str
    reason: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What a write was told that it did."""

    revision: int
    heads: tuple[Head, ...] = ()
    deleted: tuple[Head, ...] = ()
    """By `replace`."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sending of a write; no answer: it may take effect at any later time, or never."""

    replica: str
    began: float
    ended: float
    answer: Acknowledged | Refused | None


@dataclass(slots=True)
class WriteOp:
    """A write and every time it was sent, always with the same request_id."""

    write: Write
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def began(self) -> float:
        return self.attempts[0].began

    @property
    def acknowledged(self) -> Acknowledged | None:
        """Its first acknowledgement."""
        answers = (one.answer for one in self.attempts)
        return next((one for one in answers if isinstance(one, Acknowledged)), None)

    @property
    def ended(self) -> float:
        """When it was first acknowledged; never, if it was not."""
        acknowledged = (one for one in self.attempts if isinstance(one.answer, Acknowledged))
        return min((one.ended for one in acknowledged), default=inf)

    @property
    def first_attempts(self) -> Sequence[Attempt]:
        """Those up to the first acknowledgement."""
        return [one for one in self.attempts if one.began <= self.ended]

    @property
    def repeats(self) -> Sequence[Attempt]:
        """Those after it: they can only tell the same again."""
        return [one for one in self.attempts if one.began > self.ended]

    @property
    def refused(self) -> bool:
        """Every sending was refused; one without an answer may yet do it, whatever the others say."""
        return all(isinstance(one.answer, Refused) for one in self.attempts)


@dataclass(frozen=True, slots=True)
class Found:
    """A state, and the position that the answer claims."""

    head: Head
    revision: int


@dataclass(frozen=True, slots=True)
class Read:
    """One Get that was answered."""

    client: str
    replica: str
    began: float
    ended: float
    key: Key
    answer: Found | Refused
    local: bool = False
    at: int | None = None
    min_revision: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing."""

    began: float
    ended: float
    revision: int
    total: int
    heads: tuple[Head, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """The pages of one List; complete if the last of them came."""

    client: str
    replica: str
    namespace: str
    prefix: str
    pages: tuple[Page, ...]
    complete: bool
    refused: Refused | None = None
    refused_began: float = 0.0
    refused_at: float = 0.0
    local: bool = False
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a watch asks for."""

    namespaces: frozenset[str] | None = None
    prefix: str = ""
    classes: frozenset[int] = frozenset()
    after: int | None = None
    """None: the present (`initial_state`)."""
    conflate: bool = False

    def wants(self, row: Row) -> bool:
        """Tell whether a change is asked for."""
        of_class = not self.classes or not self.classes.isdisjoint(row.classes)
        return of_class and self.wants_dag(row.key)

    def wants_dag(self, key: Key) -> bool:
        """Tell whether a DAG is asked for."""
        namespace, dag_id = key
        named = self.namespaces is None or namespace in self.namespaces
        return named and dag_id.startswith(self.prefix)


@dataclass(frozen=True, slots=True)
class StateTold:
    """A part of the initial state."""

    at: float
    revision: int
    heads: tuple[Head, ...]


@dataclass(frozen=True, slots=True)
class ChangesTold:
    """Changes."""

    at: float
    revision: int
    rows: tuple[Row, ...]
    conflated: bool = False


@dataclass(frozen=True, slots=True)
class BookmarkTold:
    """Progress."""

    at: float
    revision: int
    synced: bool = False
    draining: bool = False


Told: TypeAlias = StateTold | ChangesTold | BookmarkTold


@dataclass(slots=True)
class Session:
    """One Watch call; a watcher's next one begins where this one ended."""

    watcher: str
    replica: str
    began: float
    asked: Asked
    told: list[Told] = field(default_factory=list)
    ended: float = inf
    end: Refused | None = None
    """How the service ended it. None: the connection or the consumer did."""

    @property
    def revision(self) -> int | None:
        """Where to resume; None: the initial state is not complete."""
        for one in reversed(self.told):
            if not isinstance(one, StateTold):
                return one.revision
        return self.asked.after


@dataclass(frozen=True, slots=True)
class Compaction:
    """One Prune that was sent: the log up to `revision` may be gone from `began` on."""

    began: float
    revision: int


@dataclass(slots=True)
class History:
    """Everything that was asked and told in one run."""

    writes: list[WriteOp] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    listings: list[Listing] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    compactions: list[Compaction] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    """What a client saw to be wrong by itself: bytes that are not those of their hash."""
