"""Fixtures of the end-to-end tests: a real server for one file of tests, and dagctl in it."""

from collections.abc import Iterator

import pytest

from tests.support.dagctl import Dagctl
from tests.support.server import RunningServer, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("server") / "catalog.db") as running:
        yield running


@pytest.fixture
def dagctl(server: RunningServer, request: pytest.FixtureRequest) -> Iterator[Dagctl]:
    letters = "".join(c if c.isalnum() else "-" for c in request.node.name.lower())
    made = Dagctl(server.address, letters.removeprefix("test-")[:60].strip("-"))
    with made.client:
        yield made
