"""Fixtures of the server's contract tests: one real server for all, a namespace for each test."""

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.support.server import RunningServer, running_server
from tests.support.wire import Api, connected

_numbers = count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server on SQLite for all tests that do not stop or configure theirs."""
    with running_server(tmp_path_factory.mktemp("contract") / "catalog.db") as running:
        yield running


@pytest.fixture
def namespace() -> str:
    """A namespace that no other test uses."""
    return f"contract-{next(_numbers)}"


@pytest.fixture
async def api(server: RunningServer) -> AsyncIterator[Api]:
    """The generated stub on a connection of its own."""
    async with connected(server.address) as stub:
        yield stub


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
