"""The checkers pass what is right, and name what is wrong, with writes and the log."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.faults.checking.history import Acknowledged, Attempt, Expected, Refused, Write, WriteOp
from tests.faults.checking.violations import Rule
from tests.unit.faults.evidence import A1, HEADS, ROWS, Evidence, good, put


def test_a_run_in_which_everything_was_right_has_no_violation() -> None:
    assert str(good().verdict()) == "no violation"


def _lose_the_last(run: Evidence) -> None:
    run.rows.pop()


def _lose_one_between(run: Evidence) -> None:
    del run.rows[1]


def _add_what_nobody_wrote(run: Evidence) -> None:
    run.rows.append(replace(ROWS[5], revision=6, content_hash="strange", writer="nobody"))


def _write_the_last_again(run: Evidence) -> None:
    run.rows.append(replace(ROWS[5], revision=6, kind=2, version=2))


def _mix_two_writes(run: Evidence) -> None:
    run.rows[4] = replace(ROWS[4], revision=3, ordinal=2)


def _halve_a_batch(run: Evidence) -> None:
    del run.rows[3]


def _count_a_version_twice(run: Evidence) -> None:
    run.rows[1] = replace(ROWS[1], version=3)


def _ignore_a_precondition(run: Evidence) -> None:
    conditional = replace(put(ROWS[1]), expected=Expected(version=0))
    op = run.history.writes[1]
    run.history.writes[1] = WriteOp(replace(op.write, puts=(conditional,)), op.attempts)


def _refuse_what_was_done(run: Evidence) -> None:
    told = {"namespace": "right", "dag_id": "b1", "version": "0", "content_hash": ""}
    refused = Refused("ABORTED", "PRECONDITION_FAILED", told)
    run.history.writes[4].attempts = [Attempt("r0.1", 50, 51, refused)]


def _answer_another_revision(run: Evidence) -> None:
    run.history.writes[4].attempts = [Attempt("r0.1", 50, 51, Acknowledged(4, (HEADS[5],)))]


def _answer_another_state(run: Evidence) -> None:
    told = Acknowledged(5, (replace(HEADS[5], version=2),))
    run.history.writes[4].attempts = [Attempt("r0.1", 50, 51, told)]


def _answer_a_retry_with_another_revision(run: Evidence) -> None:
    told = Acknowledged(2, (HEADS[0],))
    run.history.writes[0].attempts.append(Attempt("r1.1", 25, 26, told))


def _refuse_a_retry(run: Evidence) -> None:
    refused = Refused("NOT_FOUND", "DAG_NOT_FOUND")
    run.history.writes[0].attempts.append(Attempt("r1.1", 25, 26, refused))


def _begin_after_it_was_overtaken(run: Evidence) -> None:
    run.history.writes[0].attempts = [Attempt("r0.1", 22, 23, Acknowledged(1, (HEADS[0],)))]


def _fail_with_a_defect(run: Evidence) -> None:
    refused = Refused("INTERNAL")
    run.history.writes.append(
        WriteOp(Write("w6", "left", delete="a1"), [Attempt("r0.1", 55, 56, refused)])
    )


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        (_lose_the_last, Rule.LOST_WRITE),
        (_lose_one_between, Rule.LOG_GAP),
        (_add_what_nobody_wrote, Rule.NOBODY_WROTE_IT),
        (_write_the_last_again, Rule.WRITTEN_TWICE),
        (_mix_two_writes, Rule.TWO_WRITES_IN_ONE),
        (_halve_a_batch, Rule.WRONG_EFFECT),
        (_count_a_version_twice, Rule.WRONG_EFFECT),
        (_ignore_a_precondition, Rule.PRECONDITION_IGNORED),
        (_refuse_what_was_done, Rule.REFUSED_BUT_DONE),
        (_answer_another_revision, Rule.WRONG_ANSWER),
        (_answer_another_state, Rule.WRONG_ANSWER),
        (_answer_a_retry_with_another_revision, Rule.RETRY_DIFFERS),
        (_refuse_a_retry, Rule.RETRY_DIFFERS),
        (_begin_after_it_was_overtaken, Rule.REAL_TIME_ORDER),
        (_fail_with_a_defect, Rule.UNEXPECTED_ERROR),
    ],
)
def test_what_is_wrong_with_a_write_is_named(
    damage: Callable[[Evidence], None], rule: Rule
) -> None:
    run = good()
    damage(run)
    assert rule in run.verdict().rules


def _refusal(version: int, content_hash: str) -> Refused:
    namespace, dag_id = A1
    facts = {"namespace": namespace, "dag_id": dag_id}
    facts |= {"version": str(version), "content_hash": content_hash}
    return Refused("ABORTED", "PRECONDITION_FAILED", facts)


def _refused(expected: Expected, refused: Refused, began: float, ended: float) -> Evidence:
    run = good()
    write = Write("w6", "left", (replace(put(ROWS[0]), content_hash="never", expected=expected),))
    run.history.writes.append(WriteOp(write, [Attempt("r0.1", began, ended, refused)]))
    return run


def test_a_refusal_that_names_the_head_of_its_time_is_right() -> None:
    run = _refused(Expected(version=1), _refusal(2, "a1-second"), 22, 23)
    assert not run.verdict().violations


def test_a_refusal_may_name_any_head_of_its_time() -> None:
    for version, content_hash in [(1, "a1-first"), (2, "a1-second"), (3, "a1-third")]:
        run = _refused(Expected(version=9), _refusal(version, content_hash), 15, 35)
        assert not run.verdict().violations


def test_a_refusal_that_names_a_head_of_before_is_wrong() -> None:
    run = _refused(Expected(version=9), _refusal(1, "a1-first"), 22, 23)
    assert Rule.UNTRUE_REFUSAL in run.verdict().rules


def test_a_refusal_that_names_a_head_to_come_is_wrong() -> None:
    run = _refused(Expected(version=9), _refusal(3, "a1-third"), 22, 23)
    assert Rule.UNTRUE_REFUSAL in run.verdict().rules


def test_a_refusal_of_what_was_expected_is_wrong() -> None:
    run = _refused(Expected(version=2), _refusal(2, "a1-second"), 22, 23)
    assert Rule.UNTRUE_REFUSAL in run.verdict().rules


def test_a_deletion_of_what_is_there_may_not_be_refused() -> None:
    run = good()
    refused = Refused("NOT_FOUND", "DAG_NOT_FOUND")
    op = WriteOp(Write("w6", "left", delete="a1"), [Attempt("r0.1", 35, 36, refused)])
    run.history.writes.append(op)
    assert Rule.UNTRUE_REFUSAL in run.verdict().rules


def test_a_write_without_an_answer_may_have_been_done_or_not() -> None:
    run = good()
    run.history.writes[4].attempts = [Attempt("r0.1", 50, 51, None)]
    assert not run.verdict().violations
    run.rows.pop()
    run.history.sessions.clear()
    assert not run.verdict().violations


def test_a_write_that_was_refused_after_a_sending_without_an_answer_may_be_done() -> None:
    run = good()
    told = {"namespace": "right", "dag_id": "b1", "version": "0", "content_hash": ""}
    refused = Refused("ABORTED", "PRECONDITION_FAILED", told)
    conditional = replace(put(ROWS[5]), expected=Expected(content_hash=""))
    op = run.history.writes[4]
    attempts = [Attempt("r0.1", 50, 51, None), Attempt("r1.1", 51, 52, refused)]
    run.history.writes[4] = WriteOp(replace(op.write, puts=(conditional,)), attempts)
    # It expected nothing and met nothing: the refusal is wrong, the write is not.
    assert run.verdict().rules == {Rule.UNTRUE_REFUSAL}
