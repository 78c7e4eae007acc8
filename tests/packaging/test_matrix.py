"""The client under each protobuf and grpcio that it promises, against a server of today.

Warnings are errors, those of protobuf and grpc too.
"""

from pathlib import Path

import pytest

from tests.packaging.environments import build_wheel, make_environment, run
from tests.support.server import running_server

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(600)]

PAIRS = [
    ("protobuf==4.25.8", "grpcio==1.62.3"),
    ("protobuf==4.25.8", "grpcio"),
    ("protobuf>=5.29,<5.30", "grpcio==1.62.3"),
    ("protobuf>=6.33,<6.34", "grpcio"),
    ("protobuf>=7,<8", "grpcio==1.62.3"),
    ("protobuf>=7,<8", "grpcio"),
]

ROUND_TRIP = """
import asyncio, sys, json
from dagcatalog_client import AsyncClient, Client, DagNotFound
address, name = sys.argv[1:]
document = {"__version": 3, "dag": {"dag_id": name, "tasks": [], "tags": ["matrix"]}}
with Client(address) as catalog:
    written = catalog.put(name, document, source="# a file")
    assert catalog.get(name).json() == document
    assert [one.dag_id for one in catalog.list() if one.dag_id == name] == [name]
    with catalog.watch(initial_state=True, timeout_s=10) as events:
        assert next(iter(events)).position.revision >= written.position.revision
    try:
        catalog.get(name + "_missing")
    except DagNotFound as error:
        assert error.dag_id == name + "_missing"
    else:
        raise SystemExit("no error")

async def main():
    async with AsyncClient(address) as catalog:
        assert (await catalog.get(name)).json() == document
        assert (await catalog.status()).position.revision >= 1

asyncio.run(main())
import google.protobuf, grpc
print("passed", google.protobuf.__version__, grpc.__version__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.mark.parametrize(("protobuf", "grpcio"), PAIRS)
def test_the_client_works_under(protobuf: str, grpcio: str, wheel: Path, tmp_path: Path) -> None:
    python = make_environment(tmp_path / "venv", wheel, protobuf, grpcio)
    name = "".join(letter if letter.isalnum() else "_" for letter in f"{protobuf}_{grpcio}")

    with running_server(tmp_path / "catalog.db") as server:
        said = run(python, "-W", "error", "-c", ROUND_TRIP, server.address, name).stdout

    print(said)
    assert said.startswith("passed ")
