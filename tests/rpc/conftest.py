"""Fixtures of the RPC tests: a real server, and clients of it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dagcatalog_client import AsyncClient, Client
from tests.support.server import RunningServer, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for the tests of a file; each test takes a namespace of its own."""
    path: Path = tmp_path_factory.mktemp("server") / "catalog.db"
    with running_server(path) as running:
        yield running


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> str:
    """A namespace that no other test of the file uses."""
    letters = "".join(c if c.isalnum() else "-" for c in request.node.name.lower())
    return letters.removeprefix("test-")[:60].strip("-")


@pytest.fixture
def client(server: RunningServer, namespace: str) -> Iterator[Client]:
    with Client(server.address, namespace=namespace) as opened:
        yield opened


@pytest.fixture
async def async_client(server: RunningServer, namespace: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server.address, namespace=namespace) as opened:
        yield opened
