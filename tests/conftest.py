"""Fixtures for every test: one PostgreSQL a session, an empty database for each test that asks."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from dagcatalog_server.store.schema import migrate
from tests.support.pooler import Pooler, running_pooler
from tests.support.postgres import Postgres, running_postgres

# Tests start programs while grpc is at work; its own fork handlers make such a fork hang or crash.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# A developer's own contexts are none of the tests' business.
os.environ["DAGCATALOG_CONTEXT_FILE"] = "/nonexistent/contexts.toml"

DISCONNECT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
EMPTY = (
    "DELETE FROM blob; DELETE FROM change; DELETE FROM request; DELETE FROM parse_error; DELETE FROM consumer;"
    "UPDATE clock SET epoch = md5(random()::text), revision = 0, compacted_revision = 0"
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


@pytest.fixture(scope="session")
def postgres_door(postgres: Postgres) -> Iterator[Postgres | Pooler]:
    """Give what clients connect to: with DAGCATALOG_TEST_POOLER set, a transaction pooler."""
    if os.environ.get("DAGCATALOG_TEST_POOLER"):
        with running_pooler(postgres) as pooler:
            yield pooler
    else:
        yield postgres


@pytest.fixture
def postgres_url(
    postgres: Postgres, postgres_door: Postgres | Pooler, idle_databases: list[str]
) -> Iterator[str]:
    """Give a migrated database with nothing in it. Its epoch may be that of an earlier test."""
    name = idle_databases.pop() if idle_databases else _make_migrated(postgres)
    yield postgres_door.url(name)
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


@pytest.fixture(params=["sqlite", "memory", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database of each kind that the server can serve."""
    match request.param:
        case "sqlite":
            return f"sqlite:///{tmp_path / 'catalog.db'}"
        case "postgresql":
            url: str = request.getfixturevalue("postgres_url")
            return url
        case _:
            return "memory://"
