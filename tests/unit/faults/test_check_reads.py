"""The checkers name what is wrong with a read or a listing."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.faults.checking.history import Compaction, Found, Page, Read, Refused
from tests.faults.checking.violations import Rule
from tests.unit.faults.evidence import A1, A2, B1, HEADS, Evidence, good, read

Damage = Callable[[Evidence], None]


def _adds(*reads: Read) -> Damage:
    return lambda run: run.history.reads.extend(reads)


def _refused(key: tuple[str, str], reason: str, began: float, **how: int) -> Read:
    code = "NOT_FOUND" if reason == "DAG_NOT_FOUND" else "OUT_OF_RANGE"
    answer = Refused(code, reason)
    return Read("c", "r0.1", began, began + 1, key, answer, **how)  # type: ignore[arg-type] # its fields


def _relist(*pages: Page, complete: bool = True) -> Damage:
    def damage(run: Evidence) -> None:
        [listing] = run.history.listings
        run.history.listings[0] = replace(listing, pages=pages, complete=complete)

    return damage


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        (_adds(read(Found(HEADS[0], 1), 22)), Rule.STALE_READ),
        (_adds(read(Found(HEADS[1], 2), 15)), Rule.FROM_THE_FUTURE),
        (_adds(read(Found(HEADS[1], 99), 60)), Rule.FROM_THE_FUTURE),
        (_adds(read(Found(HEADS[0], 3), 35)), Rule.UNTRUE_READ),
        (_adds(read(Found(HEADS[0], 4), 45, at=2)), Rule.UNTRUE_READ),
        (_adds(read(Found(HEADS[2], 5), 55)), Rule.UNTRUE_READ),
        (_adds(replace(read(Found(HEADS[0], 1), 45, local=True), min_revision=2)), Rule.STALE_READ),
        (
            _adds(
                read(Found(HEADS[3], 4), 46, local=True), read(Found(HEADS[3], 3), 48, local=True)
            ),
            Rule.WENT_BACK,
        ),
        (_adds(_refused(A1, "DAG_NOT_FOUND", 22)), Rule.STALE_READ),
        (_adds(_refused(A2, "DAG_NOT_FOUND", 45, at=3)), Rule.UNTRUE_READ),
        (_adds(_refused(A1, "REVISION_COMPACTED", 45, at=3)), Rule.UNTRUE_REFUSAL),
        (_adds(_refused(A1, "REVISION_IN_FUTURE", 45, min_revision=4)), Rule.UNTRUE_REFUSAL),
        (_adds(_refused(A1, "OTHER_EPOCH", 45, min_revision=4)), Rule.UNTRUE_REFUSAL),
        (_relist(Page(42, 43, 3, 2, (HEADS[3], HEADS[2]))), Rule.STALE_READ),
        (_relist(Page(32, 33, 3, 2, (HEADS[3],))), Rule.UNTRUE_READ),
        (_relist(Page(32, 33, 3, 1, (HEADS[3],)), complete=False), Rule.UNTRUE_READ),
        (_relist(Page(32, 33, 3, 2, (HEADS[2], HEADS[3]))), Rule.UNTRUE_READ),
        (
            _relist(Page(32, 33, 3, 2, (HEADS[3],)), Page(45, 46, 4, 2, (HEADS[2],))),
            Rule.UNTRUE_READ,
        ),
    ],
)
def test_what_is_wrong_with_a_read_is_named(damage: Damage, rule: Rule) -> None:
    run = good()
    damage(run)
    assert rule in run.verdict().rules


@pytest.mark.parametrize(
    "right",
    [
        _refused(A2, "DAG_NOT_FOUND", 25),
        _refused(A2, "DAG_NOT_FOUND", 40),
        _refused(A2, "DAG_NOT_FOUND", 45),
        _refused(B1, "DAG_NOT_FOUND", 50),
        _refused(A2, "DAG_NOT_FOUND", 45, at=4),
        _refused(A1, "REVISION_COMPACTED", 48, at=1),
        _refused(A1, "REVISION_IN_FUTURE", 45, min_revision=5),
        _refused(A1, "REVISION_IN_FUTURE", 45, min_revision=4, local=True),
        read(Found(HEADS[0], 1), 60, local=True),
    ],
)
def test_what_is_right_is_not_called_wrong(right: Read) -> None:
    run = good()
    run.history.reads = [right]
    run.history.compactions = [Compaction(47, 2)]
    assert not run.verdict().violations


def test_a_read_is_not_linearizable_whatever_position_it_claims() -> None:
    run = good()
    run.history.reads.append(read(Found(HEADS[0], 2), 25))
    assert Rule.NOT_LINEARIZABLE in run.verdict().rules
