"""Checks every watch against the log: ordered, unique, gapless, atomic, resumable, never silent."""

from collections import defaultdict
from collections.abc import Sequence

from tests.faults.checking.check_reads import COMPACTED, ReadCheck
from tests.faults.checking.history import (
    BookmarkTold,
    ChangesTold,
    History,
    Key,
    Row,
    Session,
    StateTold,
)
from tests.faults.checking.log import Log, head_of
from tests.faults.checking.times import Times
from tests.faults.checking.violations import Report, Rule

# Ends that a fault explains; everything else must be one of the reasons of the contract.
EXPLAINED = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"}


class WatchCheck:
    """Checks the watches of a run."""

    def __init__(
        self, log: Log, history: History, times: Times, reads: ReadCheck, report: Report
    ) -> None:
        self._log = log
        self._history = history
        self._times = times
        self._reads = reads
        self._report = report

    def run(self, *, to_the_end: bool) -> None:
        """Report everything that is wrong; `to_the_end`: every watcher had time to see the last."""
        of_watcher: dict[str, list[Session]] = defaultdict(list)
        for session in self._history.sessions:
            _SessionCheck(self._log, self._times, self._reads, session, self._report).run()
            of_watcher[session.watcher].append(session)
        for watcher, sessions in of_watcher.items():
            reached = max((one.revision or 0 for one in sessions), default=0)
            if to_the_end and reached < self._log.last:
                ends = [(one.replica, one.revision, one.end) for one in sessions[-3:]]
                text = f"{watcher} came to {reached} of {self._log.last}: {ends}"
                self._report(Rule.WATCH_SILENT, text)


class _SessionCheck:
    """One Watch call, event by event."""

    def __init__(
        self, log: Log, times: Times, reads: ReadCheck, session: Session, report: Report
    ) -> None:
        self._log = log
        self._times = times
        self._reads = reads
        self._session = session
        self._asked = session.asked
        self._say = report
        self._revision = session.asked.after
        """Everything up to here was told; None: the initial state is under way."""
        self._state: list[StateTold] = []
        self._before: object = None

    def run(self) -> None:
        for one in self._session.told:
            if self._times.earliest(one.revision) > one.at:
                self._report(Rule.FROM_THE_FUTURE, one)
            match one:
                case StateTold():
                    self._check_state_part(one)
                case ChangesTold():
                    self._check_changes(one)
                case BookmarkTold():
                    self._check_bookmark(one)
            self._before = one
        self._check_end()

    def _report(self, rule: Rule, what: object) -> None:
        session = self._session
        self._say(
            rule,
            f"{session.watcher} on {session.replica} after {self._revision} "
            f"(began {session.began:.3f}, {self._asked}): {what}",
        )

    def _check_state_part(self, told: StateTold) -> None:
        if self._revision is not None:
            self._report(Rule.WATCH_STATE, f"state after the state was complete: {told}")
        self._state.append(told)

    def _check_bookmark(self, told: BookmarkTold) -> None:
        if told.synced:
            self._check_state(told)
        elif self._revision is None:
            if not told.draining:
                self._report(Rule.WATCH_STATE, f"progress before the state: {told}")
            return
        elif told.revision < self._revision:
            self._report(Rule.WATCH_REPEAT, told)
        else:
            self._check_nothing_left(told.revision, told)
        self._revision = told.revision

    def _check_state(self, told: BookmarkTold) -> None:
        if self._revision is not None or any(p.revision != told.revision for p in self._state):
            self._report(Rule.WATCH_STATE, f"not of one revision: {told} {self._state}")
        heads = [head for part in self._state for head in part.heads]
        live = self._log.live_at(told.revision)
        there = [head_of(row) for row in live if self._asked.wants_dag(row.key)]
        if heads != there:
            self._report(Rule.WATCH_STATE, f"at {told.revision} {heads}, but it was {there}")

    def _check_changes(self, told: ChangesTold) -> None:
        if self._revision is None:
            self._report(Rule.WATCH_STATE, f"changes before the state: {told}")
        elif told.revision <= self._revision:
            self._report(self._rule_of_repeat(told), told)
            return
        elif self._asked.conflate:
            self._check_conflated(told, self._revision)
        else:
            self._check_nothing_left(told.revision - 1, told)
            self._check_rows(told, self._wanted(told.revision - 1, told.revision))
        self._revision = told.revision

    def _rule_of_repeat(self, told: ChangesTold) -> Rule:
        """The rest of a revision that came in parts is no repetition."""
        before = self._before
        same = isinstance(before, ChangesTold) and before.revision == told.revision
        rest = same and not set(told.rows) & set(getattr(before, "rows", ()))
        return Rule.WATCH_SPLIT if rest else Rule.WATCH_REPEAT

    def _check_conflated(self, told: ChangesTold, after: int) -> None:
        """The latest wanted change of each DAG since the last event, in order."""
        wanted = self._wanted(after, told.revision)
        latest: dict[Key, Row] = {row.key: row for row in wanted}
        rows = sorted(latest.values(), key=lambda row: (row.revision, row.ordinal))
        self._check_rows(told, rows)
        if told.conflated != (len(rows) < len(wanted)):
            self._report(Rule.WATCH_UNTRUE, f"`conflated` is wrong of {told}: {wanted}")

    def _check_rows(self, told: ChangesTold, wanted: Sequence[Row]) -> None:
        if list(told.rows) == list(wanted):
            return
        if strange := [row for row in told.rows if not self._log.has(row)]:
            self._report(Rule.WATCH_UNTRUE, f"{strange} of {told}")
        elif set(told.rows) < set(wanted):
            self._report(Rule.WATCH_SPLIT, f"{told}, but the whole is {wanted}")
        else:
            self._report(Rule.WATCH_UNTRUE, f"{told}, but asked for was {wanted}")

    def _check_nothing_left(self, revision: int, told: object) -> None:
        assert self._revision is not None
        if left := self._wanted(self._revision, revision):
            self._report(Rule.WATCH_GAP, f"{told} passes over {left}")

    def _wanted(self, after: int, until: int) -> list[Row]:
        return [row for row in self._log.between(after, until) if self._asked.wants(row)]

    def _check_end(self) -> None:
        end = self._session.end
        if end is None or end.code in EXPLAINED:
            return
        last = self._session.told[-1] if self._session.told else None
        match end.code, end.reason:
            case "OK", _:
                lawful = isinstance(last, BookmarkTold) and last.draining
            case "OUT_OF_RANGE", reason if reason == COMPACTED:
                # While the state is read, any compaction may overtake it.
                oldest = -1 if self._revision is None else self._revision
                lawful = self._reads.may_be_compacted(oldest, self._session.ended)
            case "RESOURCE_EXHAUSTED", "WATCHER_TOO_SLOW":
                lawful = self._may_resume_after(int(end.facts["resume_revision"]))
            case _:
                lawful = False
        if not lawful:
            self._report(Rule.WATCH_ENDED, end)

    def _may_resume_after(self, revision: int) -> bool:
        """A filtered watch has come further than what it was told, but passed over nothing."""
        told = self._revision
        return told is not None and told <= revision and not self._wanted(told, revision)
