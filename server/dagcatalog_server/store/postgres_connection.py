"""A PostgreSQL connection that says BEGIN, its limits and the first statement in one round trip."""

import select
from typing import Any

import psycopg2
from psycopg2 import extensions

from dagcatalog_server.store.postgres_patience import Patience


class OutcomeUnknown(psycopg2.OperationalError):
    """A commit that is on this server's disk, and perhaps on no other."""


class PostgresConnection(extensions.connection):
    """A connection of psycopg2 in autocommit mode: its transactions are begun and ended here.

    Limits are set inside of each transaction (SET LOCAL), because behind a pooler that gives every
    transaction another session, what a session was told is lost, or somebody else's. Sent with the
    first statement they cost a transaction of one SELECT 65 us instead of 58; psycopg2's BEGIN, in a
    round trip of its own, costs 78 without them (medians on the loopback, PostgreSQL 16).
    """

    def __init__(self, dsn: str, **more: Any) -> None:
        super().__init__(dsn, **more)
        self.autocommit = True
        self.cursor_factory = _Cursor
        self.patience = Patience()
        self._begin = ""

    def begin(self, statements: str) -> None:
        """Send `statements`, which end with a semicolon, with the one that comes first."""
        self._begin = statements

    def take_begin(self) -> str:
        """Give what must be sent before the next statement, once."""
        begin, self._begin = self._begin, ""
        return begin

    def commit(self) -> None:
        """Commit; nothing is sent if nothing was.

        Raises:
            OutcomeUnknown: the server stopped waiting for its synchronous standby. It then says that
                it has committed, with a warning; a commit warns of nothing else, and the sentence
                may be in any language.

        """
        if self.take_begin() or self._is_idle():
            return
        self.notices.clear()
        self._end("COMMIT", self.patience.commit_s)
        if self.notices:
            raise OutcomeUnknown(" ".join(self.notices[0].split()))

    def rollback(self) -> None:
        """Roll back; nothing is sent if nothing was."""
        if not (self.take_begin() or self._is_idle()):
            self._end("ROLLBACK", self.patience.statement_s)

    def is_quiet(self) -> bool:
        """Tell, without asking the server, that nothing came since the last answer: not its end."""
        if self.closed:
            return False
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return not poll.poll(0)

    def _is_idle(self) -> bool:
        return self.get_transaction_status() == extensions.TRANSACTION_STATUS_IDLE

    def _end(self, statement: str, limit_s: float) -> None:
        with self.cursor() as cursor:
            self.patience.begin(limit_s)
            try:
                extensions.cursor.execute(cursor, statement)
            finally:
                self.patience.end()


class _Cursor(extensions.cursor):
    """Sends the connection's BEGIN with its statement, and bounds the wait."""

    connection: PostgresConnection

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 - psycopg2's name
        patience = self.connection.patience
        patience.begin(patience.statement_s)
        try:
            super().execute(self.connection.take_begin() + query, vars)
        finally:
            patience.end()

    def executemany(self, query: Any, vars_list: Any) -> None:
        if begin := self.connection.take_begin():
            self.execute(begin)
        super().executemany(query, vars_list)
