"""Two PostgreSQL nodes, a primary and its synchronous standby, that change places when one is killed."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2

from tests.support.postgres import Postgres, running_postgres
from tests.support.waiting import wait_until

SETTINGS = (
    "wal_level=replica",
    "max_wal_senders=8",
    "wal_keep_size=128MB",
    "hot_standby=on",
    "wal_receiver_status_interval=1s",
    "wal_retrieve_retry_interval=100ms",
)
SYNCHRONOUS = "synchronous_standby_names='*'"
ALONE = "synchronous_standby_names=''"
SYNCED = (
    "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'"
)


class PrimaryPair:
    """What a failover manager would keep: who is the primary, and that the other has every commit."""

    def __init__(self, primary: Postgres) -> None:
        self.primary = primary
        self.standby = primary.beside("standby")

    def url(self, database: str) -> str:
        """Give a URL that names both; target_session_attrs finds the primary."""
        ports = (self.primary.port, self.standby.port)
        hosts = "&".join(f"host=127.0.0.1:{port}" for port in ports)
        return f"postgresql://postgres@/{database}?{hosts}"

    def join(self) -> None:
        """Make the standby anew from the primary; returns when no commit is acknowledged without it."""
        self.standby.follow(self.primary)
        self.standby.start()
        self.primary.configure(SYNCHRONOUS)
        self.primary.reload()
        with closing(psycopg2.connect(self.primary.url("postgres"))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:

                def is_synced() -> bool:
                    cursor.execute(SYNCED)
                    return bool(cursor.fetchone() == (1,))

                wait_until(is_synced)

    def fail_over(self, *, alone: bool) -> float:
        """Kill the primary and promote the standby; give the moment of the kill.

        `alone`: the new primary acknowledges by itself until it has a standby again. Otherwise its
        writers wait.
        """
        killed_at = time.monotonic()
        self.primary.kill()
        self.standby.configure(ALONE if alone else SYNCHRONOUS)
        self.standby.reload()
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary
        return killed_at


@contextmanager
def primary_pair() -> Iterator[PrimaryPair]:
    """Run a pair."""
    with running_postgres(durable=True, settings=SETTINGS) as primary:
        pair = PrimaryPair(primary)
        pair.join()
        try:
            yield pair
        finally:
            for node in (pair.standby, pair.primary):
                node.stop()
