"""A catalog, and the dagctl of the environment that has Airflow."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dagcatalog_client import Client
from dagcatalog_client.model import DagFilter
from tests.support.server import running_server

ROOT = Path(__file__).resolve().parents[2]
AIRFLOW = ROOT / ".venvs" / "airflow-3.3.2" / "bin"
INSIDE = Path(__file__).with_name("inside.py")


@dataclass(frozen=True)
class Loaded:
    """What `dagctl -o json load` said."""

    code: int
    report: Mapping[str, Any]

    @property
    def outcomes(self) -> dict[str, str]:
        return {dag["dag_id"]: dag["outcome"] for dag in self.report["dags"]}

    @property
    def kinds(self) -> dict[str, str]:
        return {failure["file"]: failure["kind"] for failure in self.report["failures"]}


Load = Callable[..., Loaded]
Judge = Callable[..., Mapping[str, Any]]


@pytest.fixture(scope="session")
def airflow_bin() -> Path:
    if not (AIRFLOW / "dagctl").exists():
        pytest.fail(f"there is no Airflow in {AIRFLOW}: run `make setup-airflow` first")
    return AIRFLOW


@pytest.fixture(scope="session")
def example_folders(airflow_bin: Path) -> Mapping[str, Path]:
    """The folders of Airflow's own example DAGs, by the bundle that they are loaded as."""
    script = "import sysconfig; print(sysconfig.get_path('purelib'))"
    command = [str(airflow_bin / "python"), "-c", script]
    packages = Path(subprocess.check_output(command, text=True).strip())
    return {
        "example-dags": packages / "airflow" / "example_dags",
        "standard-example-dags": packages / "airflow/providers/standard/example_dags",
    }


@pytest.fixture(scope="session")
def airflow_environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """One AIRFLOW_HOME for all, as its DAGs folder is in each document."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "DAGCATALOG"))}
    return {
        **kept,
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow-home")),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "True",
    }


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("catalog") / "catalog.db") as server:
        yield server.address


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address) as client:
        yield client


@pytest.fixture(scope="module")
def load(airflow_bin: Path, airflow_environment: Mapping[str, str], address: str) -> Load:
    def run(*arguments: object, environment: Mapping[str, str] | None = None) -> Loaded:
        done = subprocess.run(
            [
                str(airflow_bin / "dagctl"),
                *("--address", address, "-o", "json", "load"),
                *(str(argument) for argument in arguments),
            ],
            env={**airflow_environment, **(environment or {})},
            capture_output=True,
            check=False,
            text=True,
            timeout=110,
        )
        assert done.stdout, done.stderr
        return Loaded(done.returncode, json.loads(done.stdout))

    return run


@pytest.fixture(scope="module")
def judge(
    airflow_bin: Path,
    airflow_environment: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Judge:
    """Have Airflow compare the DAGs of a folder with the catalog's copies."""

    def run(root: Path, documents: Mapping[str, bytes]) -> Mapping[str, Any]:
        folder = tmp_path_factory.mktemp("judge")
        given, result = folder / "documents.json", folder / "result.json"
        given.write_text(json.dumps({name: data.decode() for name, data in documents.items()}))
        done = subprocess.run(
            [airflow_bin / "python", INSIDE, root, given, result],
            env={**airflow_environment, "PYTHONHASHSEED": "0"},
            capture_output=True,
            check=False,
            text=True,
            timeout=110,
        )
        assert done.returncode == 0, done.stderr
        judged: Mapping[str, Any] = json.loads(result.read_text())
        return judged

    return run


def documents_of(client: Client, bundle: str) -> dict[str, bytes]:
    """Read every document of a bundle."""
    names = [summary.dag_id for summary in client.list(DagFilter(bundle_name=bundle))]
    return {name: client.get(name).document for name in names}
