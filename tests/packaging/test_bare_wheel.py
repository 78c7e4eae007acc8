"""The base install is the client: grpcio and protobuf, and nothing else."""

from pathlib import Path

import pytest

from tests.packaging.environments import build_wheel, installed, make_environment, names_in, run

USE_CLIENT = """
import sys
import dagcatalog_client
from dagcatalog_client import Client
with Client("127.0.0.1:1") as catalog:
    try:
        catalog.status(timeout_s=0.5)
    except dagcatalog_client.CatalogError as error:
        print("refused:", type(error).__name__)
foreign = {"click", "rich", "yaml", "orjson", "sqlalchemy", "pydantic", "google.rpc"} & set(sys.modules)
print("foreign:", sorted(foreign))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the bare wheel."""
    return make_environment(tmp_path_factory.mktemp("bare") / "venv", wheel)


def test_the_bare_install_brings_grpcio_and_protobuf_only(bare: Path) -> None:
    assert installed(bare) - {"typing_extensions", "typing-extensions"} == {
        "dagcatalog",
        "grpcio",
        "protobuf",
    }


def test_the_client_works_in_the_bare_install(bare: Path) -> None:
    said = run(bare, "-W", "error", "-c", USE_CLIENT).stdout

    assert "refused: " in said
    assert "foreign: []" in said


@pytest.mark.parametrize(("program", "extra"), [("dagctl", "cli"), ("dagcatalog", "server")])
def test_a_program_without_its_extra_says_what_to_install(
    bare: Path, program: str, extra: str
) -> None:
    done = run(bare.with_name(program), "--help", check=False)

    assert done.returncode != 0
    assert f'pip install "dagcatalog[{extra}]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_the_wheel_holds_stubs_types_and_migrations_but_no_tests(wheel: Path) -> None:
    names = names_in(wheel)

    assert {
        "dagcatalog/v1/catalog_service_pb2.py",
        "dagcatalog/v1/catalog_service_pb2.pyi",
        "dagcatalog/v1/catalog_service_pb2_grpc.py",
        "dagcatalog/v1/catalog_service.proto",
        "dagcatalog/py.typed",
        "dagcatalog_airflow/py.typed",
        "dagcatalog_client/py.typed",
        "dagcatalog_server/py.typed",
        "dagcatalog_server/store/migrations/env.py",
        "dagcatalog_server/store/migrations/versions/0001_first.py",
    } <= names
    assert not [name for name in names if name.startswith(("tests", "tools", "benchmarks"))]
