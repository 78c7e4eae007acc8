"""A small run in which everything was right: four writes, and all kinds of reads and watches of them."""

from dataclasses import dataclass

from dagcatalog.v1 import resources_pb2 as res
from tests.faults.checking.history import (
    Acknowledged,
    Asked,
    Attempt,
    BookmarkTold,
    ChangesTold,
    Found,
    Head,
    History,
    Listing,
    Page,
    Put,
    Read,
    Row,
    Session,
    StateTold,
    Write,
    WriteOp,
)
from tests.faults.checking.log import Log, head_of
from tests.faults.checking.verdict import Verdict, judge

ALL_CLASSES = (1, 2, 3)
CREATED, NEW_VERSION, DELETED = (
    int(res.CHANGE_KIND_CREATED),
    int(res.CHANGE_KIND_NEW_VERSION),
    int(res.CHANGE_KIND_DELETED),
)
A1, A2, B1 = ("left", "a1"), ("left", "a2"), ("right", "b1")

ROWS = (
    Row(1, 0, CREATED, ALL_CLASSES, A1, 1, "a1-first", writer="w1"),
    Row(2, 0, NEW_VERSION, (3,), A1, 2, "a1-second", writer="w2"),
    Row(3, 0, CREATED, ALL_CLASSES, A2, 1, "a2-first", writer="w3"),
    Row(3, 1, NEW_VERSION, (1,), A1, 3, "a1-third", writer="w3"),
    Row(4, 0, DELETED, ALL_CLASSES, A2, 1, "a2-first", deleted=True, reason="w4", writer="w3"),
    Row(5, 0, CREATED, ALL_CLASSES, B1, 1, "b1-first", writer="w5"),
)
HEADS = tuple(head_of(row) for row in ROWS)


def put(row: Row) -> Put:
    return Put(row.key, f"{row.key[1][0]}.py", row.content_hash)


def done(write: Write, began: float, revision: int, *heads: Head) -> WriteOp:
    """Make a write that took a second, and was acknowledged."""
    answer = Acknowledged(revision, heads)
    return WriteOp(write, [Attempt("r0.1", began, began + 1, answer)])


def good_writes() -> list[WriteOp]:
    """Make the writes; the moment of each is ten times its revision."""
    return [
        done(Write("w1", "left", (put(ROWS[0]),)), 10, 1, HEADS[0]),
        done(Write("w2", "left", (put(ROWS[1]),)), 20, 2, HEADS[1]),
        done(Write("w3", "left", (put(ROWS[2]), put(ROWS[3]))), 30, 3, HEADS[2], HEADS[3]),
        done(Write("w4", "left", delete="a2"), 40, 4, HEADS[4]),
        done(Write("w5", "right", (put(ROWS[5]),)), 50, 5, HEADS[5]),
    ]


def changes(revision: int, *rows: Row, at: float = 60, conflated: bool = False) -> ChangesTold:
    return ChangesTold(at, revision, rows, conflated)


def followed(asked: Asked, *told: StateTold | ChangesTold | BookmarkTold) -> Session:
    return Session(f"{asked}", "r0.1", 5, asked, list(told), 70)


PLAIN = Asked(after=0)
CONFLATED = Asked(after=0, conflate=True)
FILTERED = Asked(after=1, prefix="b")
STATE = Asked(frozenset({"left"}))


def good_sessions() -> list[Session]:
    return [
        followed(
            PLAIN,
            changes(1, ROWS[0]),
            changes(2, ROWS[1]),
            changes(3, ROWS[2], ROWS[3]),
            changes(4, ROWS[4]),
            changes(5, ROWS[5]),
        ),
        followed(CONFLATED, changes(5, ROWS[3], ROWS[4], ROWS[5], conflated=True)),
        followed(FILTERED, BookmarkTold(60, 4), changes(5, ROWS[5]), BookmarkTold(61, 5)),
        followed(
            STATE,
            StateTold(60, 3, (HEADS[3], HEADS[2])),
            BookmarkTold(60, 3, synced=True),
            changes(4, ROWS[4]),
            BookmarkTold(61, 5),
        ),
    ]


def read(answer: Found, began: float, *, local: bool = False, at: int | None = None) -> Read:
    return Read("c", "r0.1", began, began + 1, answer.head.key, answer, local, at)


def good_reads() -> list[Read]:
    return [
        read(Found(HEADS[0], 1), 12),
        read(Found(HEADS[0], 1), 20),
        read(Found(HEADS[1], 2), 20.5),
        read(Found(HEADS[0], 1), 45, local=True),
        read(Found(HEADS[1], 4), 46, at=2),
    ]


def good_listings() -> list[Listing]:
    pages = (
        Page(32, 33, 3, 2, (HEADS[3],)),
        Page(45, 46, 3, 2, (HEADS[2],)),
    )
    return [Listing("c", "r0.1", "left", "", pages, complete=True)]


@dataclass
class Evidence:
    """A log and a history, to be damaged by a test."""

    rows: list[Row]
    history: History

    def verdict(self, *, to_the_end: bool = True) -> Verdict:
        return judge(Log(self.rows), self.history, to_the_end=to_the_end)


def good() -> Evidence:
    history = History(
        writes=good_writes(),
        reads=good_reads(),
        listings=good_listings(),
        sessions=good_sessions(),
    )
    return Evidence(list(ROWS), history)
