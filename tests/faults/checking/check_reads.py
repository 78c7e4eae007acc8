"""Checks every read and refusal against the log and real time, revision by revision."""

from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

from tests.faults.checking.check_log import LogCheck
from tests.faults.checking.history import (
    Found,
    History,
    Key,
    Listing,
    Page,
    Put,
    Read,
    Refused,
    WriteOp,
)
from tests.faults.checking.log import Log, Span, head_of
from tests.faults.checking.times import Times
from tests.faults.checking.violations import Report, Rule

COMPACTED, FUTURE = "REVISION_COMPACTED", "REVISION_IN_FUTURE"


class ReadCheck:
    """Checks writes against real time, and reads against both."""

    def __init__(self, log: Log, history: History, times: Times, report: Report) -> None:
        self._log = log
        self._history = history
        self._times = times
        self._report = report

    def run(self, replayed: LogCheck) -> None:
        """Report everything that is wrong."""
        for revision, op in replayed.writer_of.items():
            if revision <= (known := self._times.known_before(op.began)):
                text = f"{known} was known before revision {revision} of {op} began"
                self._report(Rule.REAL_TIME_ORDER, text)
        for op in self._history.writes:
            for one in op.first_attempts:
                if isinstance(one.answer, Refused):
                    self._check_refused_write(op, one.answer, one.began, one.ended)
        for read in self._history.reads:
            self._check_read(read)
        for listing in self._history.listings:
            self._check_listing(listing)
        self._check_own_positions()

    def _check_refused_write(
        self, op: WriteOp, refused: Refused, began: float, ended: float
    ) -> None:
        match refused.reason:
            case "PRECONDITION_FAILED":
                facts = refused.facts
                put = _refused_put(op, (facts["namespace"], facts["dag_id"]))
                told = (int(facts["version"]), facts["content_hash"])
                held = put.expected is None or put.expected.holds(*told)
                if held or not self._was(put.key, lambda span: span.present == told, began, ended):
                    self._report(Rule.UNTRUE_REFUSAL, f"{refused} of {op}")
            case "DAG_NOT_FOUND" if op.write.delete:
                key = (op.write.namespace, op.write.delete)
                if not self._was(key, lambda span: not span.live, began, ended):
                    self._report(Rule.UNTRUE_REFUSAL, f"{refused} of {op}")
            case _:
                self._report(Rule.UNEXPECTED_ERROR, f"{refused} of {op}")

    def _was(self, key: Key, holds: Callable[[Span], bool], began: float, ended: float) -> bool:
        """Tell whether a DAG can have been so at some time between."""
        known = self._times.known_before(began)
        return any(
            holds(span)
            for span in self._log.spans(key)
            if span.end > known and self._times.earliest(span.first) <= ended
        )

    def _check_read(self, read: Read) -> None:
        match read.answer:
            case Found():
                self._check_found(read, read.answer)
            case Refused(reason="DAG_NOT_FOUND"):
                self._check_absent(read)
            case Refused(code="OUT_OF_RANGE"):
                self._check_out_of_range(read, read.answer)
            case _:
                self._report(Rule.UNEXPECTED_ERROR, f"{read}")

    def _check_found(self, read: Read, found: Found) -> None:
        self._check_position(found.revision, read.began, read.ended, f"{read}", local=read.local)
        if found.revision < read.min_revision:
            self._report(Rule.STALE_READ, f"less than was asked for: {read}")
        row = self._log.state_at(read.key, found.revision if read.at is None else read.at)
        if row is None or found.head != head_of(row):
            self._report(Rule.UNTRUE_READ, f"{read}: it was {row}")

    def _check_position(
        self, revision: int, began: float, ended: float, where: str, *, local: bool
    ) -> None:
        if self._times.earliest(revision) > ended:
            self._report(Rule.FROM_THE_FUTURE, where)
        if not local and revision < (known := self._times.known_before(began)):
            self._report(Rule.STALE_READ, f"{known} was known before: {where}")

    def _check_absent(self, read: Read) -> None:
        if read.at is not None:
            row = self._log.state_at(read.key, read.at)
            if row is not None and not row.deleted:
                self._report(Rule.UNTRUE_READ, f"{read}: it was {row}")
        elif not self._was(
            read.key, lambda span: not span.live, 0.0 if read.local else read.began, read.ended
        ):
            rule = Rule.UNTRUE_READ if read.local else Rule.STALE_READ
            self._report(rule, f"it was there all the time: {read}")

    def _check_out_of_range(self, read: Read, refused: Refused) -> None:
        if refused.reason == COMPACTED and read.at is not None:
            lawful = self.may_be_compacted(read.at, read.ended)
        elif refused.reason == FUTURE:
            asked = max(read.at or 0, read.min_revision)
            lawful = read.local or asked > self._times.known_before(read.began)
        else:
            lawful = False
        if not lawful:
            self._report(Rule.UNTRUE_REFUSAL, f"{read}")

    def may_be_compacted(self, revision: int, by: float) -> bool:
        """Tell whether somebody had asked to forget what follows a revision."""
        return any(one.began <= by and one.revision > revision for one in self._history.compactions)

    def _check_listing(self, listing: Listing) -> None:
        for page in listing.pages:
            self._check_page(listing, page)
        if listing.refused is not None:
            self._check_refused_listing(listing, listing.refused)
        if not listing.pages:
            return
        if len({page.revision for page in listing.pages}) > 1:
            self._report(Rule.UNTRUE_READ, f"pages of several revisions: {listing}")
        told = [head for page in listing.pages for head in page.heads]
        there = [
            head_of(row)
            for row in self._log.live_at(listing.pages[0].revision)
            if row.key[0] == listing.namespace and row.key[1].startswith(listing.prefix)
        ]
        whole = there if listing.complete else there[: len(told)]
        if told != whole or any(page.total != len(there) for page in listing.pages):
            self._report(Rule.UNTRUE_READ, f"{listing}: it was {there}")

    def _check_page(self, listing: Listing, page: Page) -> None:
        pinned = listing.at is not None or page is not listing.pages[0]
        local = listing.local or pinned
        where = f"{listing.client} {listing.replica} {page}"
        self._check_position(page.revision, page.began, page.ended, where, local=local)
        if listing.at is not None and page.revision != listing.at:
            self._report(Rule.UNTRUE_READ, f"not at {listing.at}: {where}")

    def _check_refused_listing(self, listing: Listing, refused: Refused) -> None:
        pinned = listing.pages[0].revision if listing.pages else listing.at
        if refused.reason == COMPACTED and pinned is not None:
            lawful = self.may_be_compacted(pinned, listing.refused_at)
        elif refused.reason == FUTURE and listing.at is not None:
            lawful = listing.at > self._times.known_before(listing.refused_began)
        else:
            lawful = False
        if not lawful:
            self._report(Rule.UNTRUE_REFUSAL, f"{listing}")

    def _check_own_positions(self) -> None:
        """What one client reads locally of one replica, one after the other, never goes back."""
        told: dict[tuple[str, str], list[tuple[float, int, Read]]] = defaultdict(list)
        for read in self._history.reads:
            if read.local and isinstance(read.answer, Found):
                place = (read.client, read.replica)
                told[place].append((read.began, read.answer.revision, read))
        for reads in told.values():
            reads.sort(key=lambda one: one[0])
            for (_, before, _), (_, revision, read) in pairwise(reads):
                if revision < before:
                    self._report(Rule.WENT_BACK, f"from {before}: {read}")


def _refused_put(op: WriteOp, key: Key) -> Put:
    """Give the part of a write that a refusal names; a deletion's as if it were a put."""
    if op.write.delete:
        return Put((op.write.namespace, op.write.delete), "", "", op.write.expected)
    return next(put for put in op.write.puts if put.key == key)
