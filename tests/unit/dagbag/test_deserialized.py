"""DAGs are made once a content, kept within a bound, and what cannot be made is named."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from dagcatalog_airflow import AirflowUnusable, DocumentUnreadable
from dagcatalog_airflow.deserialized import DeserializedDags
from dagcatalog_airflow.deserializing import shape_of
from dagcatalog_airflow.sources import BATCH, BATCH_BYTES, batches
from dagcatalog_client import DagSummary
from dagcatalog_client.convert.answers import summary_of_bytes
from tests.support.dags import dag_document
from tests.support.documents import as_bytes, sha256
from tests.support.entries import entry
from tests.support.stand_in_airflow import StandInAirflow


def content(dag_id: str, description: str = "") -> tuple[DagSummary, bytes]:
    document = as_bytes(dag_document(dag_id, description=description))
    return summary(dag_id, content_hash=sha256(document)), document


def summary(dag_id: str, **fields: object) -> DagSummary:
    made = summary_of_bytes(entry(dag_id).raw)
    return DagSummary(**{**{name: getattr(made, name) for name in made.__slots__}, **fields})


def test_a_content_is_made_once_and_shared() -> None:
    airflow = StandInAirflow()
    dags = DeserializedDags(airflow, 10_000)

    first = dags.make(*content("etl"))

    assert dags.make(*content("etl")) is first
    assert dags.get(content("etl")[0].content_hash) is first
    assert airflow.made == ["etl"]


def test_those_used_last_are_kept_within_the_bound() -> None:
    airflow = StandInAirflow()
    each_bytes = len(content("a")[1])
    dags = DeserializedDags(airflow, 3 * each_bytes)
    for name in ("a", "b", "c"):
        dags.make(*content(name))

    assert dags.get(content("a")[0].content_hash) is not None
    dags.make(*content("d"))

    assert [name for name in "abcd" if content(name)[0].content_hash in dags] == ["a", "c", "d"]
    assert dags.held_bytes == 3 * each_bytes


def test_a_dag_over_the_bound_is_made_but_not_kept() -> None:
    dags = DeserializedDags(StandInAirflow(), 10)

    assert dags.make(*content("large")).dag_id == "large"
    assert (len(dags), dags.held_bytes) == (0, 0)


def test_threads_that_want_the_same_dag_get_the_same() -> None:
    airflow = StandInAirflow()
    dags = DeserializedDags(airflow, 10_000)
    airflow.going_on.clear()
    with ThreadPoolExecutor(4) as pool:
        flights = [pool.submit(dags.make, *content("etl")) for _ in range(4)]
        assert airflow.entered.acquire(timeout=30)
        airflow.going_on.set()
        made = {flight.result(30) for flight in flights}

    assert len(made) == 1
    assert airflow.made == ["etl"]


def test_an_unreadable_document_is_named_and_not_remembered() -> None:
    dags = DeserializedDags(StandInAirflow(), 10_000)
    refused, document = content("etl", "refuse")

    with pytest.raises(DocumentUnreadable) as caught:
        dags.make(refused, document)

    error = caught.value
    assert (error.dag_id, error.content_hash) == ("etl", refused.content_hash)
    assert (error.serialization_version, error.airflow_version) == (0, "9.9")
    assert str(error) == (
        "Airflow 9.9 cannot deserialize DAG 'etl' of namespace 'default' "
        f"(content {refused.content_hash}, serialization version 0)"
    )
    assert isinstance(error.__cause__, ValueError)
    assert len(dags) == 0


def test_a_negative_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        DeserializedDags(StandInAirflow(), -1)


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("2.11.2", "SerializedDAG"),
        ("3.0.6", "SerializedDAG"),
        ("3.1.8", "SerializedDAG"),
        ("3.2.0", "DagSerialization"),
        ("3.3.2", "DagSerialization"),
        ("3.10.0rc1", "DagSerialization"),
    ],
)
def test_each_airflow_has_its_class(version: str, name: str) -> None:
    assert shape_of(version).name == name


@pytest.mark.parametrize("version", ["2.10.5", "1.10.15", "4.0.0", "unknown"])
def test_an_airflow_that_is_not_known_is_refused(version: str) -> None:
    with pytest.raises(AirflowUnusable, match=f"Airflow {version} is not known"):
        shape_of(version)


def test_without_airflow_one_is_asked_for() -> None:
    program = (
        "from dagcatalog_airflow import AirflowUnusable;"
        "from dagcatalog_airflow.deserializing import AirflowDeserializer\n"
        "try: AirflowDeserializer()(b'{}')\n"
        "except AirflowUnusable as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout == "a DAG needs Airflow beside dagcatalog: No module named 'airflow'\n"


def test_importing_the_package_imports_no_airflow() -> None:
    program = (
        "import sys, dagcatalog_airflow;"
        "assert not [name for name in sys.modules if name.split('.')[0] in ('airflow', 'sqlalchemy')]"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_documents_are_read_ahead_within_bounds() -> None:
    small = [summary(f"d{n:04}", document_bytes=1) for n in range(2 * BATCH + 1)]
    large = [summary("huge", document_bytes=2 * BATCH_BYTES), summary("next", document_bytes=1)]

    assert [len(batch) for batch in batches(small)] == [BATCH, BATCH, 1]
    assert [len(batch) for batch in batches(large)] == [1, 1]
    assert list(batches([])) == []
