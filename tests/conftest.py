"""Fixtures for every test: one PostgreSQL a session, an empty database for each test that asks."""

import os
from collections.abc import Iterator
from itertools import count

import pytest

from dagcatalog_server.store.schema import migrate
from tests.support.postgres import Postgres, running_postgres

# Tests start programs while grpc is at work; its own fork handlers make such a fork hang or crash.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

DISCONNECT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
EMPTY = (
    "DELETE FROM blob; DELETE FROM change; DELETE FROM request; DELETE FROM parse_error;"
    "UPDATE clock SET revision = 0, compacted_revision = 0"
)
_numbers = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Run a cluster for the session; it does not wait for disks."""
    with running_postgres() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def idle_databases() -> list[str]:
    """Keep migrated databases between tests: emptying one is ten times faster than making one."""
    return []


@pytest.fixture
def postgres_url(postgres: Postgres, idle_databases: list[str]) -> Iterator[str]:
    """Give a migrated database with nothing in it. Its epoch may be that of an earlier test."""
    name = idle_databases.pop() if idle_databases else _make_migrated(postgres)
    yield postgres.url(name)
    postgres.execute(DISCONNECT.format(name=name))  # a failed test may have left a lock behind
    postgres.execute(EMPTY, name)
    idle_databases.append(name)


@pytest.fixture
def empty_postgres_url(postgres: Postgres) -> Iterator[str]:
    """Make a fresh database without a schema."""
    name = _make(postgres)
    yield postgres.url(name)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _make_migrated(postgres: Postgres) -> str:
    name = _make(postgres)
    migrate(postgres.url(name))
    return name


def _make(postgres: Postgres) -> str:
    name = f"test_{next(_numbers)}"
    postgres.execute(f"CREATE DATABASE {name}")
    return name
