"""Fixtures of the server's contract tests: one real server for all, a namespace for each test."""

from collections.abc import AsyncIterator, Iterator
from itertools import count

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
