"""How PostgreSQL is reached: the sockets' limits, and one thread that asks while it is away."""

import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TypeVar

import psycopg2
from sqlalchemy import URL, make_url

from dagcatalog_server.store.postgres_connection import PostgresConnection

T = TypeVar("T")

CONNECT_TIMEOUT_S = 3
SHARED_WAIT_S = 1.0
PAUSE_S = 0.2
"""After an attempt that failed. The next group of writes follows at once: without it each would pay."""

# A silent cut is noticed after these 4 to 8 seconds, whether or not something was asked.
SOCKET_LIMITS: Mapping[str, str | int] = {
    "tcp_user_timeout": 4_000,  # milliseconds that what was sent may stay unacknowledged
    "keepalives": 1,
    "keepalives_idle": 4,
    "keepalives_interval": 1,
    "keepalives_count": 3,
}


def open_connection(url: str) -> PostgresConnection:
    """Open a connection of its own, in autocommit mode, beside every pool.

    Raises:
        psycopg2.OperationalError: the database cannot be reached.

    """
    parsed = make_url(url).set(drivername="postgresql+psycopg2")
    given, named = parsed.get_dialect()().create_connect_args(parsed)
    limits = connect_arguments(parsed, connect_timeout_s=CONNECT_TIMEOUT_S)
    opened: PostgresConnection = psycopg2.connect(
        *given, connection_factory=PostgresConnection, **{**named, **limits}
    )
    return opened


def connect_arguments(url: URL, *, connect_timeout_s: int) -> dict[str, object]:
    """Give the parameters of libpq that the URL does not set itself."""
    wanted: dict[str, object] = {
        "application_name": "dagcatalog",
        "connect_timeout": connect_timeout_s,
        "target_session_attrs": "read-write",  # of several hosts the primary; never a standby
        **SOCKET_LIMITS,
    }
    given = {name: value for name, value in wanted.items() if name not in url.query}
    return {**given, "client_encoding": "utf8"}


class Reach:
    """Whether the database can be reached, as the last to try found it.

    A host that answers nothing costs each attempt the whole connect_timeout. Were every thread to
    pay it, call after call, their queue would hold the calls for minutes: one tries, and the others
    fail at once.
    """

    def __init__(self, *, pause_s: float = PAUSE_S) -> None:
        self._pause_s = pause_s
        self._trying = Lock()
        self._not_before = 0.0
        self._in_doubt = False
        self._away = False

    def doubt(self) -> None:
        """Say that a connection was lost."""
        self._in_doubt = True

    def connect(self, connect: Callable[[], T]) -> T:
        """Connect, or raise psycopg2.OperationalError: at once while another thread tries in vain."""
        if not self._in_doubt:
            return self._attempt(connect)
        if time.monotonic() < self._not_before:
            raise psycopg2.OperationalError("the database was away a moment ago")
        if not self._trying.acquire(timeout=0 if self._away else SHARED_WAIT_S):
            raise psycopg2.OperationalError("the database is away, and another call asks for it")
        try:
            return self._attempt(connect)
        finally:
            self._trying.release()

    def _attempt(self, connect: Callable[[], T]) -> T:
        try:
            connection = connect()
        except psycopg2.OperationalError:
            self._in_doubt = self._away = True
            self._not_before = time.monotonic() + self._pause_s
            raise
        self._in_doubt = self._away = False
        self._not_before = 0.0
        return connection
