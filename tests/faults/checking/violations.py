"""The promises of a catalog, by what breaks them."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Rule(StrEnum):
    """What can be violated."""

    LOG_GAP = "revisions have a gap"
    NOBODY_WROTE_IT = "nobody has written this revision"
    TWO_WRITES_IN_ONE = "a revision holds more than one write"
    WRITTEN_TWICE = "one write made two revisions"
    WRONG_EFFECT = "a write did not do what the contract says"
    PRECONDITION_IGNORED = "a write was done though its precondition did not hold"
    REFUSED_BUT_DONE = "a refused write was done"
    LOST_WRITE = "an acknowledged write is not there"
    WRONG_ANSWER = "an answer does not say what was written"
    RETRY_DIFFERS = "a retry had another outcome"
    REAL_TIME_ORDER = "a write began after its revision had been overtaken"
    FROM_THE_FUTURE = "something was told before it was written"
    STALE_READ = "a linearizable read does not see what was acknowledged before it"
    UNTRUE_READ = "a read is not the state at the position that it claims"
    UNTRUE_REFUSAL = "a refusal gives a reason that never held in its time"
    WENT_BACK = "a replica's own position went back"
    NOT_LINEARIZABLE = "no order of these calls explains their answers"
    UNEXPECTED_ERROR = "an error that no fault explains"
    WATCH_GAP = "a watch left out a change"
    WATCH_REPEAT = "a watch told something again, or out of order"
    WATCH_SPLIT = "a watch told only a part of a revision"
    WATCH_UNTRUE = "a watch told what is not in the log"
    WATCH_STATE = "an initial state is not the state at its position"
    WATCH_ENDED = "a watch ended without a reason that holds"
    WATCH_SILENT = "a watch never came to the present"


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was not kept, and where."""

    rule: Rule
    where: str

    def __str__(self) -> str:
        return f"{self.rule.name}: {self.rule}: {self.where}"


Report: TypeAlias = Callable[[Rule, str], None]
