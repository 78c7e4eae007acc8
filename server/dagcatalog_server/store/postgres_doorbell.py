"""Tells the replicas of one PostgreSQL about each other's commits: NOTIFY and LISTEN.

A doorbell, never data: it says up to which revision there is something to read, and everything is
correct without it, only later. It rings after a commit, never inside of a writing transaction: there
NOTIFY takes a lock of the whole cluster, which cost three quarters of the commits at 16 writers.
"""

import logging
import random
import select
import socket
import time
from collections.abc import Callable
from contextlib import closing, suppress
from threading import Event, Thread
from types import TracebackType
from typing import Self

import psycopg2

from dagcatalog_server.store.postgres_connection import PostgresConnection
from dagcatalog_server.store.postgres_patience import PatienceWatch
from dagcatalog_server.store.postgres_reach import open_connection

log = logging.getLogger(__name__)

CHANNEL = "dagcatalog"
RING_INTERVAL_S = 0.01
"""Between two NOTIFYs: commits meanwhile share the next one. The first is sent at once."""
ANSWER_TIMEOUT_S = 5.0
FIRST_PAUSE_S = 0.25
MAX_PAUSE_S = 2.0
END_TIMEOUT_S = 1.0

# A notification is a small commit of its own: it must wait neither for the disk nor for a standby.
_SETTINGS = "SET synchronous_commit=off; SET client_min_messages=warning; SELECT pg_backend_pid()"


class PostgresDoorbell:
    """One connection and one thread, for ringing and for hearing. `with` opens and ends it.

    The connection must be direct, or through a pooler that leaves the session to its client.
    `heard` is called in the thread, with the revision that another replica has committed, and with
    0 after an outage, in which rings may have been missed.
    """

    def __init__(self, url: str, heard: Callable[[int], object]) -> None:
        self._url = url
        self._heard = heard
        self._ending = Event()
        self._revision = 0
        self._waker: socket.socket | None = None
        self._watch = PatienceWatch()

    def ring(self, revision: int) -> None:
        """Tell the other replicas that a revision was committed; never blocks, never fails."""
        if revision != self._revision:  # a restored database may have gone back
            self._revision = revision
            self._wake()

    def __enter__(self) -> Self:
        woken, self._waker = socket.socketpair()
        woken.settimeout(0)
        self._waker.settimeout(0)
        self._thread = Thread(
            target=self._run, args=(woken, self._waker), name="doorbell", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._wake()
        self._thread.join(END_TIMEOUT_S)  # it may be connecting to a host that answers nothing
        self._watch.stop()

    def _run(self, woken: socket.socket, waker: socket.socket) -> None:
        with woken, waker:
            self._follow(woken)

    def _follow(self, woken: socket.socket) -> None:
        pause_s, away = FIRST_PAUSE_S, False
        while not self._ending.is_set():
            try:
                with closing(open_connection(self._url)) as connection:
                    own_pid = self._listen(connection)
                    if self._ending.is_set():
                        return
                    if away:
                        log.info("doorbell_back")
                    pause_s, away = FIRST_PAUSE_S, False
                    self._heard(0)
                    self._serve(connection, own_pid, woken)
            except psycopg2.Error as error:
                if not away:
                    log.warning("doorbell_away error=%s", " ".join(str(error).split()))
                away = True
            # Jitter: a hundred replicas lose the database at the same moment.
            self._ending.wait(random.uniform(pause_s / 2, pause_s))  # noqa: S311
            pause_s = min(pause_s * 2, MAX_PAUSE_S)

    def _listen(self, connection: PostgresConnection) -> int:
        """Begin to listen; give the process of the session, by which its own rings are known."""
        connection.patience.statement_s = ANSWER_TIMEOUT_S
        self._watch.watch(connection)
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}; {_SETTINGS}")
            (own_pid,) = cursor.fetchone() or (0,)
        if own_pid != connection.info.backend_pid:
            log.warning("doorbell_through_pooler remedy=point listen_database_url past it")
        return int(own_pid)

    def _serve(self, connection: PostgresConnection, own_pid: int, woken: socket.socket) -> None:
        """Hear and ring until told to end, or the connection is lost."""
        waiting = select.poll()
        waiting.register(connection.fileno(), select.POLLIN)
        waiting.register(woken, select.POLLIN)
        rung, not_before = 0, 0.0
        while not self._ending.is_set():
            pause_s = max(0.0, not_before - time.monotonic())
            waiting.poll(None if self._revision == rung else pause_s * 1000)
            with suppress(BlockingIOError):
                woken.recv(4096)
            if self._revision != rung and time.monotonic() >= not_before:
                rung, not_before = self._revision, time.monotonic() + RING_INTERVAL_S
                with connection.cursor() as cursor:
                    cursor.execute(f"NOTIFY {CHANNEL}, '{rung}'")
            self._hear(connection, own_pid)  # last: what was heard may have come with that answer

    def _hear(self, connection: PostgresConnection, own_pid: int) -> None:
        connection.poll()
        others = [one.payload for one in connection.notifies if one.pid != own_pid]
        connection.notifies.clear()
        if others:
            self._heard(max(int(one) if one.isdecimal() else 0 for one in others))

    def _wake(self) -> None:
        if self._waker is not None:
            with suppress(OSError):  # full: it will wake; closed: it has ended
                self._waker.send(b"!")
