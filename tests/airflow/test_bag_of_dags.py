"""A bag gives Airflow's own DAGs, now and in the past, and no database is opened."""

import inspect
import json
import re
import subprocess
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dagcatalog_airflow import CatalogDagBag
from dagcatalog_client import Client
from tests.airflow.conftest import ROOT, Load
from tests.support.dags import dag_document

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(300)]

INSIDE = Path(__file__).with_name("inside_bag.py")
PAGE = ROOT / "docs" / "how-to" / "dagbag.md"
ETL = """
from datetime import datetime
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG("etl", schedule="@daily", start_date=datetime(2024, 1, 1)):
    for name in {names}:
        BashOperator(task_id=name, bash_command="true", retries=2)
"""
LOOK = """
import json, sys
from dagcatalog_airflow import CatalogDagBag, DocumentUnreadable
from dagcatalog_client import Client
with Client(sys.argv[1]) as client:
    bag = CatalogDagBag(client)
    past = bag.at(int(sys.argv[2]))
    told = {
        "kind": type(bag["etl"]).__name__,
        "now": sorted(bag["etl"].task_ids),
        "past": sorted(past["etl"].task_ids),
        "first": sorted(bag.version("etl", 1).task_ids),
        "shared": bag.version("etl", 1) is past["etl"],
    }
    for name in ("strange", "homeless"):
        try:
            bag[name]
        except DocumentUnreadable as error:
            told[name] = [str(error), str(error.__cause__)]
print(json.dumps(told))
"""


@pytest.fixture
def nowhere(airflow_environment: Mapping[str, str]) -> Mapping[str, str]:
    """An Airflow whose metadata database cannot be opened."""
    return {
        **airflow_environment,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////nonexistent/airflow.db",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(ROOT),
    }


def test_every_example_dag_is_the_one_that_airflow_makes(
    example_folders: Mapping[str, Path],
    airflow_bin: Path,
    nowhere: Mapping[str, str],
    load: Load,
    client: Client,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for bundle, folder in example_folders.items():
        assert load("--bundle", bundle, folder).code == 0
    folders, result = tmp_path / "folders.json", tmp_path / "result.json"
    folders.write_text(json.dumps({bundle: str(path) for bundle, path in example_folders.items()}))

    run(airflow_bin, nowhere, str(INSIDE), client.address, str(folders), str(result))

    found: Mapping[str, Any] = json.loads(result.read_text())
    dags = found["dags"]
    with capsys.disabled():
        print(
            f"\nbag: {len(dags)} DAGs, {sum(dag['values'] for dag in dags.values()):,} values "
            f"compared; all read and deserialized in {found['cold_s']:.2f} s "
            f"({found['document_bytes']:,} bytes), again in {found['warm_s'] * 1000:.1f} ms"
        )
    assert len(dags) > 100
    assert dags.keys() == {summary.dag_id for summary in client.list()}
    assert {name: dag["differences"] for name, dag in dags.items() if dag["differences"]} == {}
    assert found["imported_before"] == []
    assert found["opened_by_bags"] == []
    assert found["opened_to_see_that_it_is_noted"] == ["sqlite3.connect"]
    assert found["models"] == []
    assert found["shared"]


def test_the_past_has_the_old_tasks_and_what_cannot_be_read_is_named(
    airflow_bin: Path, nowhere: Mapping[str, str], load: Load, client: Client, tmp_path: Path
) -> None:
    before = load_etl(load, client, tmp_path, ["extract"])
    load_etl(load, client, tmp_path, ["extract", "load"])
    strange = client.put("strange", {**dag_document("strange"), "__version": 3_000})
    homeless = dag_document("homeless")
    timetable = {"__type": "plugin.of.Nobody", "__var": {}}
    client.put(
        "homeless", {**homeless, "dag": {**as_tree(homeless["dag"]), "timetable": timetable}}
    )

    said = run(airflow_bin, nowhere, "-c", LOOK, client.address, str(before))

    told = json.loads(said.splitlines()[-1])
    assert told["kind"] == "SerializedDAG"
    assert told["now"] == ["extract", "load"]
    assert told["past"] == told["first"] == ["extract"]
    assert told["shared"]
    sentence, why = told["strange"]
    assert sentence == (
        "Airflow 3.3.2 cannot deserialize DAG 'strange' of namespace 'default' "
        f"(content {strange.summary.content_hash}, serialization version 3000)"
    )
    assert why == "Unsure how to deserialize version 3000"
    assert "plugin.of.Nobody" in told["homeless"][1]


def test_the_page_about_it_runs(
    airflow_bin: Path, nowhere: Mapping[str, str], load: Load, client: Client, tmp_path: Path
) -> None:
    for summary in client.list():
        client.delete(summary.dag_id)
    load_etl(load, client, tmp_path, ["extract"])
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)

    environment = {**nowhere, "DAGCATALOG_ADDRESS": client.address}
    said = run(airflow_bin, environment, "-c", "\n".join(blocks))

    lines = said.splitlines()
    assert re.fullmatch(r"1 DAGs at revision \d+", lines[0])
    assert lines[1:] == ["etl 0 0 * * * ['extract']", "2", "False True"]


def test_the_examples_of_its_docstrings_run(
    airflow_bin: Path, nowhere: Mapping[str, str], load: Load, client: Client, tmp_path: Path
) -> None:
    load_etl(load, client, tmp_path, ["extract"])
    documented = (CatalogDagBag, CatalogDagBag.at, CatalogDagBag.version)
    examples = [
        textwrap.dedent(example)
        for one in documented
        for example in re.findall(r"```python\n(.*?)```", inspect.getdoc(one) or "", re.DOTALL)
    ]
    assert len(examples) == len(documented)
    opening = (
        "from dagcatalog_airflow import CatalogDagBag\n"
        "from dagcatalog_client import Client\n"
        "client = Client()\n"
    )

    environment = {**nowhere, "DAGCATALOG_ADDRESS": client.address}
    said = run(airflow_bin, environment, "-c", opening + "\n".join(examples))

    assert "etl 1" in said.splitlines()


def load_etl(load: Load, client: Client, folder: Path, names: list[str]) -> int:
    """Load the DAG with these tasks; return the revision that has it."""
    (folder / "etl.py").write_text(ETL.format(names=names))
    assert load("--bundle", "etl", folder).code == 0
    return client.status().position.revision


def as_tree(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value


def run(airflow_bin: Path, environment: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [airflow_bin / "python", *arguments],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
