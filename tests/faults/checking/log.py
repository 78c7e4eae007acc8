"""The whole change log of a database, as its own trigger kept it, however much was compacted."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

import psycopg2

from tests.faults.checking.history import Head, Key, Row

# Rows as they were inserted. The server knows nothing of this table; it cannot help or be helped.
ARCHIVE = """
CREATE TABLE archive AS SELECT * FROM change WITH NO DATA;
CREATE FUNCTION keep_change() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO archive SELECT NEW.*; RETURN NULL; END';
CREATE TRIGGER kept AFTER INSERT ON change FOR EACH ROW EXECUTE FUNCTION keep_change();
"""
READ = """
SELECT revision, ordinal, kind, classes, namespace, dag_id, version, content_hash, deleted,
       delete_reason, labels::json ->> 'write'
FROM archive ORDER BY revision, ordinal
"""


@dataclass(frozen=True, slots=True)
class Span:
    """What a DAG was from its first revision until before its end; None: it was not there yet."""

    first: int
    end: float
    row: Row | None

    @property
    def live(self) -> bool:
        return self.row is not None and not self.row.deleted

    @property
    def present(self) -> tuple[int, str]:
        """Version and content of a live DAG, as a precondition sees them."""
        return (self.row.version, self.row.content_hash) if self.row and self.live else (0, "")


class Log:
    """Rows of the change log, and the states that they make."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows: Sequence[Row] = sorted(rows, key=lambda row: (row.revision, row.ordinal))
        self._revisions = [row.revision for row in self.rows]
        self._of_dag: dict[Key, list[Row]] = defaultdict(list)
        for row in self.rows:
            self._of_dag[row.key].append(row)

    @property
    def last(self) -> int:
        """The last revision."""
        return self._revisions[-1] if self._revisions else 0

    @property
    def keys(self) -> list[Key]:
        return sorted(self._of_dag)

    def revisions(self) -> Iterator[tuple[int, list[Row]]]:
        """Give the rows of each revision that has any."""
        place = 0
        while place < len(self.rows):
            revision = self._revisions[place]
            after = bisect_right(self._revisions, revision)
            yield revision, list(self.rows[place:after])
            place = after

    def between(self, after: int, until: int) -> Sequence[Row]:
        """Give the rows of revisions after one, up to another."""
        first = bisect_right(self._revisions, after)
        return self.rows[first : bisect_right(self._revisions, until)]

    def state_at(self, key: Key, revision: int) -> Row | None:
        """Give what a DAG was at a revision, a tombstone maybe."""
        rows = self._of_dag.get(key, [])
        place = bisect_right(rows, revision, key=lambda row: row.revision)
        return rows[place - 1] if place else None

    def spans(self, key: Key) -> list[Span]:
        """Give all that a DAG ever was."""
        rows = self._of_dag.get(key, [])
        ends: list[float] = [*(row.revision for row in rows), inf]
        spans = [Span(0, ends[0], None)]
        spans += [Span(row.revision, end, row) for row, end in zip(rows, ends[1:], strict=True)]
        return spans

    def live_at(self, revision: int) -> list[Row]:
        """Give the live DAGs at a revision, by key."""
        states = (self.state_at(key, revision) for key in self.keys)
        return [row for row in states if row is not None and not row.deleted]

    def has(self, row: Row) -> bool:
        """Tell whether this very row is there."""
        place = bisect_left(self._revisions, row.revision)
        return row in self.rows[place : bisect_right(self._revisions, row.revision)]


def head_of(row: Row) -> Head:
    """Tell a row as an answer would."""
    return Head(row.key, row.revision, row.version, row.content_hash, row.deleted)


def keep_log(url: str) -> None:
    """Let the database itself keep every row that is ever put into its change log."""
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(ARCHIVE)
    connection.close()


def read_log(url: str) -> Log:
    """Read what was kept."""
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(READ)
        found = cursor.fetchall()
    connection.close()
    return Log(
        Row(
            revision=revision,
            ordinal=ordinal,
            kind=kind,
            classes=tuple(int(one) for one in classes.split(",") if one),
            key=(namespace, dag_id),
            version=version,
            content_hash=bytes(content_hash).hex(),
            deleted=deleted,
            reason=reason,
            writer=writer,
        )
        for (
            revision,
            ordinal,
            kind,
            classes,
            namespace,
            dag_id,
            version,
            content_hash,
            deleted,
            reason,
            writer,
        ) in found
    )
