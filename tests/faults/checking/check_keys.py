"""Checks Put, compare-and-set, Delete and Get of each DAG by search, without their revisions."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from math import inf
from typing import TypeAlias

from tests.faults.checking.history import (
    Acknowledged,
    Expected,
    Found,
    Head,
    History,
    Key,
    Read,
    Refused,
    Row,
    WriteOp,
)
from tests.faults.checking.linearizable import Operation, explain
from tests.faults.checking.violations import Report, Rule

State: TypeAlias = tuple[int, str, bool]
"""Version, content hash, and whether the DAG is live."""
NOTHING: State = (0, "", False)
Step: TypeAlias = Callable[[State], State | None]
OfDags: TypeAlias = Iterator[tuple[Key, Operation[State]]]


def check_keys(history: History, done: Mapping[str, Collection[Row]], report: Report) -> None:
    """Report every DAG whose calls no order explains.

    Of the writes without an answer only those in `done` (rows by request_id) are taken into account:
    the log knows which they are, and with all that may have happened the search would never end.
    """
    of_key: dict[Key, list[Operation[State]]] = defaultdict(list)
    for op in history.writes:
        for key, operation in _write(op, done.get(op.write.request_id, ())):
            of_key[key].append(operation)
    for read in history.reads:
        if not read.local and read.at is None and (step := _read(read)):
            of_key[read.key].append(Operation(read.began, read.ended, step, reads=True))
    for key, operations in of_key.items():
        if explain(operations, NOTHING) is None:
            report(Rule.NOT_LINEARIZABLE, f"{key}, {len(operations)} operations")


def _write(op: WriteOp, rows: Collection[Row]) -> OfDags:
    if op.acknowledged is not None or rows:
        yield from _done(op, op.acknowledged, rows)
    for one in op.first_attempts:
        if isinstance(one.answer, Refused) and (refusal := _refusal(op, one.answer)):
            key, step = refusal
            yield key, Operation(one.began, one.ended, step, reads=True)


def _done(op: WriteOp, told: Acknowledged | None, rows: Collection[Row]) -> OfDags:
    heads = {head.key: head for head in (*told.heads, *told.deleted)} if told else {}
    ended = op.ended if told else inf
    for put in op.write.puts:
        step = _put(put.content_hash, put.expected, heads.get(put.key))
        yield put.key, Operation(op.began, ended, step)
    deleted = {row.key for row in (told.deleted if told else rows) if row.deleted}
    if op.write.delete:
        deleted.add((op.write.namespace, op.write.delete))
    for key in deleted:
        expected = op.write.expected if op.write.delete else None
        yield key, Operation(op.began, ended, _delete(expected))


def _put(content_hash: str, expected: Expected | None, told: Head | None) -> Step:
    def step(state: State) -> State | None:
        if not _holds(expected, state):
            return None
        same = state[1] == content_hash
        version = state[0] if same else state[0] + 1
        return None if told and told.version != version else (version, content_hash, True)

    return step


def _delete(expected: Expected | None) -> Step:
    def step(state: State) -> State | None:
        version, content_hash, live = state
        return (version, content_hash, False) if live and _holds(expected, state) else None

    return step


def _holds(expected: Expected | None, state: State) -> bool:
    version, content_hash, live = state
    return expected is None or (
        expected.holds(version, content_hash) if live else expected.holds(0, "")
    )


def _refusal(op: WriteOp, refused: Refused) -> tuple[Key, Step] | None:
    match refused.reason:
        case "PRECONDITION_FAILED":
            key = (refused.facts["namespace"], refused.facts["dag_id"])
            told = (int(refused.facts["version"]), refused.facts["content_hash"])
            return key, lambda state: state if _present(state) == told else None
        case "DAG_NOT_FOUND" if op.write.delete:
            key = (op.write.namespace, op.write.delete)
            return key, lambda state: None if state[2] else state
    return None


def _present(state: State) -> tuple[int, str]:
    return (state[0], state[1]) if state[2] else (0, "")


def _read(read: Read) -> Step | None:
    match read.answer:
        case Found(head=head):
            told = (head.version, head.content_hash, not head.deleted)
            return lambda state: state if state == told else None
        case Refused(reason="DAG_NOT_FOUND"):
            return lambda state: None if state[2] else state
    return None
