"""Checks the change log against the writes: each revision is one write, whole, once, and lawful."""

from collections.abc import Mapping, Sequence

from tests.faults.checking.contract_of_writes import effects, preconditions_hold, told_alike
from tests.faults.checking.history import Acknowledged, Head, Key, Row, WriteOp
from tests.faults.checking.log import Log, head_of
from tests.faults.checking.violations import Report, Rule


class LogCheck:
    """Replays the log; knows afterwards which write made which revision."""

    def __init__(self, log: Log, writes: Sequence[WriteOp], report: Report) -> None:
        self._log = log
        self._writes = writes
        self._report = report
        self._heads: dict[Key, Row] = {}
        self._files = {put.key: put.file for op in writes for put in op.write.puts}
        self._by_id = {op.write.request_id: op for op in writes}
        self.writer_of: dict[int, WriteOp] = {}
        self.revision_of: dict[str, int] = {}
        """By request_id; the first, if there are more."""

    def run(self) -> "LogCheck":
        """Report everything that is wrong."""
        last = 0
        for revision, rows in self._log.revisions():
            if revision != last + 1:
                self._report(Rule.LOG_GAP, f"after revision {last} comes {revision}")
            self._check_revision(revision, rows)
            self._heads.update((row.key, row) for row in rows)
            last = revision
        for op in self._writes:
            self._check_answers(op)
        return self

    def _check_revision(self, revision: int, rows: Sequence[Row]) -> None:
        owners = {op.write.request_id for row in rows if (op := self._owner(row))}
        if len(owners) != 1:
            rule = Rule.TWO_WRITES_IN_ONE if owners else Rule.NOBODY_WROTE_IT
            self._report(rule, f"revision {revision}: {sorted(owners)} {rows}")
            return
        op = self._by_id[owners.pop()]
        self.writer_of[revision] = op
        first = self.revision_of.setdefault(op.write.request_id, revision)
        if first != revision:
            self._report(Rule.WRITTEN_TWICE, f"revisions {first} and {revision}: {op.write}")
        self._check_effect(revision, rows, op)

    def _owner(self, row: Row) -> WriteOp | None:
        return self._by_id.get(row.reason if row.deleted else row.writer)

    def _check_effect(self, revision: int, rows: Sequence[Row], op: WriteOp) -> None:
        if not preconditions_hold(op.write, self._heads):
            self._report(Rule.PRECONDITION_IGNORED, f"revision {revision}: {op.write}")
        lawful = effects(op.write, revision, self._heads, self._files)
        found = [told_alike(row) for row in rows]
        if found != lawful:
            text = f"revision {revision} of {op.write}: {found}, not {lawful}"
            self._report(Rule.WRONG_EFFECT, text)
        if op.refused:
            self._report(Rule.REFUSED_BUT_DONE, f"revision {revision}: {op}")

    def _check_answers(self, op: WriteOp) -> None:
        done = self.revision_of.get(op.write.request_id)
        answers = [one.answer for one in op.attempts if isinstance(one.answer, Acknowledged)]
        if not answers:
            return
        repeated = [one.answer for one in op.repeats if one.answer is not None]
        if any(one != answers[0] for one in (*answers, *repeated)):
            self._report(Rule.RETRY_DIFFERS, f"{op.write}: {answers[0]}, then {repeated}")
        if done is None:
            self._report(Rule.LOST_WRITE, f"{op.write}: {answers[0]}")
        elif answers[0].revision != done or not self._told_truly(answers[0], done):
            self._report(Rule.WRONG_ANSWER, f"{op.write} at {done}: {answers[0]}")

    def _told_truly(self, answer: Acknowledged, revision: int) -> bool:
        rows = self._log.between(revision - 1, revision)
        told: Mapping[Key, Head] = {one.key: one for one in (*answer.heads, *answer.deleted)}
        return told == {row.key: head_of(row) for row in rows}
