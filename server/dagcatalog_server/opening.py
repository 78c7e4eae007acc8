"""Opens the store that the configuration names."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from dagcatalog_server.catalog.ports import Store, StoreUnavailable
from dagcatalog_server.config import Config
from dagcatalog_server.config_text import mask_url
from dagcatalog_server.replica.tail import Tail
from dagcatalog_server.store.memory import MemoryStore
from dagcatalog_server.store.postgres import open_postgres
from dagcatalog_server.store.postgres_doorbell import PostgresDoorbell
from dagcatalog_server.store.postgres_engine import DatabaseUnfit
from dagcatalog_server.store.sqlite import open_sqlite

# The commit thread, the clock's and the tail read beside the workers.
_MORE_CONNECTIONS = 3


class ConfigurationProblem(Exception):
    """A setting that cannot work, in one sentence for the operator."""


@contextmanager
def opened_store(config: Config) -> Iterator[Store]:
    """Open the store that the configuration names, and close it in the end.

    Raises:
        ConfigurationProblem: the URL names no store, or one that cannot be opened.
        SchemaMismatch: the database needs a migration, or a newer release.

    """
    try:
        store = _open_store(config)
    except StoreUnavailable as error:
        given = mask_url(config.database_url.get_secret_value())
        reason = " ".join(str(error).split())
        raise ConfigurationProblem(f"cannot open the database {given}: {reason}") from error
    except DatabaseUnfit as error:
        raise ConfigurationProblem(str(error)) from error
    try:
        yield store
    finally:
        store.close()


def _open_store(config: Config) -> Store:
    given = config.database_url.get_secret_value()
    if given.startswith("memory:"):
        return MemoryStore()
    try:
        url = make_url(given)
    except ArgumentError as error:
        raise ConfigurationProblem("database_url is not a URL") from error
    connections = config.worker_threads + _MORE_CONNECTIONS
    match url.get_backend_name():
        case "sqlite" if url.database:
            return open_sqlite(Path(url.database), pool_size=connections)
        case "postgresql":
            return open_postgres(
                given,
                pool_size=connections,
                statement_timeout_s=config.statement_timeout,
                lock_timeout_s=config.lock_timeout,
                idle_in_transaction_timeout_s=config.idle_in_transaction_timeout,
            )
    raise ConfigurationProblem(
        f"database_url begins with {url.drivername!r}; use sqlite:///PATH, "
        "postgresql://USER:PASSWORD@HOST/DATABASE or memory://"
    )


class Doorbell(AbstractContextManager[object], Protocol):
    """What tells the replicas of one database of each other's commits; `with` opens and ends it."""

    def ring(self, revision: int) -> None:
        """Tell the others; never blocks, never fails."""


def made_doorbell(config: Config, tail: Tail) -> Doorbell | None:
    """Make what tells replicas of each other's commits; None: their polls must do."""
    database = config.database_url.get_secret_value()
    if not (config.notify and database.startswith("postgresql")):
        return None
    listening = config.listen_database_url.get_secret_value() or database
    try:
        suits = make_url(listening).get_backend_name() == "postgresql"
    except ArgumentError:
        suits = False
    if not suits:
        raise ConfigurationProblem("listen_database_url is not postgresql://…")
    loop = asyncio.get_running_loop()
    return PostgresDoorbell(
        listening,
        lambda revision: loop.call_soon_threadsafe(tail.hear, revision),
    )


async def listened_to(doorbell: Doorbell | None) -> None:
    """Listen to the other replicas until cancelled."""
    with doorbell or nullcontext():
        await asyncio.Event().wait()
