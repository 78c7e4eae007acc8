"""Every check of a run, in one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.checking.check_keys import check_keys
from tests.faults.checking.check_log import LogCheck
from tests.faults.checking.check_reads import ReadCheck
from tests.faults.checking.check_watches import WatchCheck
from tests.faults.checking.history import History
from tests.faults.checking.log import Log
from tests.faults.checking.times import Times
from tests.faults.checking.violations import Rule, Violation

MAX_SHOWN = 3
MAX_CHARACTERS = 2_000


@dataclass(frozen=True)
class Verdict:
    """What was found to be wrong; nothing is what a good catalog gives."""

    violations: Sequence[Violation]

    @property
    def rules(self) -> set[Rule]:
        return {one.rule for one in self.violations}

    def __str__(self) -> str:
        lines = [f"{rule.name} ({rule}): {count}" for rule, count in self._counts().items()]
        for rule in self._counts():
            of_rule = [one for one in self.violations if one.rule is rule]
            lines += [f"  {one}"[:MAX_CHARACTERS] for one in of_rule[:MAX_SHOWN]]
        return "\n".join(lines) or "no violation"

    def _counts(self) -> Counter[Rule]:
        return Counter(one.rule for one in self.violations)


def judge(log: Log, history: History, *, to_the_end: bool = True) -> Verdict:
    """Check everything that was told in a run against the log that it left.

    `to_the_end`: the run ended in peace, and every watcher had time to come to the present.
    """
    violations = list(history.violations)

    def report(rule: Rule, where: str) -> None:
        violations.append(Violation(rule, where))

    replayed = LogCheck(log, history.writes, report).run()
    times = Times(log, history, replayed.writer_of)
    reads = ReadCheck(log, history, times, report)
    reads.run(replayed)
    WatchCheck(log, history, times, reads, report).run(to_the_end=to_the_end)
    done = {name: log.between(at - 1, at) for name, at in replayed.revision_of.items()}
    check_keys(history, done, report)
    return Verdict(violations)
