"""Bounds the wait for an answer of PostgreSQL that the server's own limits do not bound.

A server that is stopped but whose machine acknowledges packets, and a commit that waits for a
synchronous standby (statement_timeout does not end that wait), would be waited for without end.
"""

import logging
import os
import socket
import time
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import Protocol
from weakref import WeakSet

import psycopg2

log = logging.getLogger(__name__)

LOOK_INTERVAL_S = 0.5


class Patience:
    """Until when one connection waits for the answer that it is waiting for."""

    def __init__(self) -> None:
        self.statement_s = 0.0
        """For one statement; 0: without end."""
        self.commit_s = 0.0
        self._until = 0.0
        # While `_until` is set the connection is in use, so that nobody closes it: what is cut under
        # the lock is its socket, and never another's that got the same number.
        self._lock = Lock()

    def begin(self, limit_s: float) -> None:
        """Begin to wait."""
        if limit_s:
            self._until = time.monotonic() + limit_s

    def end(self) -> None:
        """Have the answer, or an error."""
        if self._until:
            with self._lock:
                self._until = 0.0

    def cut_if_over(self, descriptor: int) -> bool:
        """Cut the socket if the answer is overdue; who waits for it gets an OperationalError.

        The server is not asked to cancel: a commit that waits for its standby would end at once, and
        be seen by everybody though a failover loses it.
        """
        with self._lock:
            if not 0.0 < self._until < time.monotonic():
                return False
            with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as waited_for:
                waited_for.shutdown(socket.SHUT_RDWR)
            self._until = 0.0
            return True


class Waiting(Protocol):
    """A connection that may be waiting."""

    @property
    def patience(self) -> Patience:
        """How long it does."""

    def fileno(self) -> int:
        """Give its socket."""


class PatienceWatch:
    """A thread that cuts every connection whose answer is overdue. `stop` ends it."""

    def __init__(self) -> None:
        self._watched: WeakSet[Waiting] = WeakSet()
        self._changing = Lock()
        self._stopped = Event()
        self._thread: Thread | None = None

    def watch(self, connection: Waiting) -> None:
        """Watch a connection for as long as it lives."""
        with self._changing:
            self._watched.add(connection)
            if self._thread is None:
                self._stopped.clear()
                self._thread = Thread(target=self._run, name="patience", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End the thread; watching another connection begins it again."""
        with self._changing:
            self._stopped.set()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_INTERVAL_S):
            with self._changing:
                watched = list(self._watched)
            while watched:  # emptied: nothing is kept alive until the next look
                _look_at(watched.pop())


def _look_at(connection: Waiting) -> None:
    with suppress(psycopg2.InterfaceError):  # closed meanwhile
        if connection.patience.cut_if_over(connection.fileno()):
            log.warning("database_overdue connection=cut")
