"""What is read out of a document at Put, whatever some Airflow wrote into it."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagcatalog_server.catalog.canonical import DocumentLimits, canonicalize
from dagcatalog_server.catalog.definition import hash_document
from dagcatalog_server.catalog.model import Dependency, Projection, Schedule, ScheduleKind
from dagcatalog_server.catalog.projection import project, relative_file
from tests.support.documents import Tree, as_bytes, edited, format_1, format_3, set_dag, task


def projected(**fields: object) -> Projection:
    return project({"dag": fields})


def test_a_document_of_airflow_3_is_projected_whole() -> None:
    assert project(format_3()) == Projection(
        tags=("finance", "pii"),
        owners=("ann",),
        schedule=Schedule(
            ScheduleKind.CRON,
            "0 3 * * *",
            "Europe/Paris",
            "airflow.timetables.trigger.CronTriggerTimetable",
        ),
        fileloc="/dags/nightly.py",
        task_count=2,
        operators=("BashOperator",),
        dependencies=(
            Dependency("nightly", "asset", "orders", "asset", "orders-id"),
            Dependency("asset", "nightly", "prices", "asset", "prices-id"),
        ),
        start_date=datetime(2021, 1, 1, tzinfo=UTC),
        catchup=False,
        serialization_version=3,
    )


def test_a_document_of_the_oldest_format_is_projected_too() -> None:
    assert project(format_1()) == Projection(
        tags=("finance", "pii"),
        owners=("airflow", "bob"),
        schedule=Schedule(ScheduleKind.CRON, "@daily", "UTC"),
        fileloc="/dags/nightly.py",
        task_count=2,
        operators=("BashOperator", "PythonOperator"),
        start_date=datetime(2021, 1, 1, tzinfo=UTC),
        catchup=True,
        serialization_version=1,
    )


def test_texts_of_the_dag_are_taken() -> None:
    found = projected(
        dag_display_name="Nightly 🌙", description="Copies", is_paused_upon_creation=True
    )
    assert (found.display_name, found.description) == ("Nightly 🌙", "Copies")
    assert found.paused_at_creation is True
    assert projected(_dag_display_property_value="Old").display_name == "Old"


@pytest.mark.parametrize(
    ("fields", "owners"),
    [
        ({"tasks": [task("a", owner="bob"), task("b")]}, ("airflow", "bob")),
        ({"tasks": [task("a")], "default_args": {"owner": "ann"}}, ("ann",)),
        (
            {"tasks": [task("a", partial_kwargs={"owner": "map"})]},
            ("map",),
        ),
        ({"tasks": [task("a", partial_kwargs={"__var": {"owner": {"__var": "m"}}})]}, ("m",)),
        ({"tasks": []}, ()),
    ],
)
def test_owners_are_those_of_the_tasks(fields: Tree, owners: tuple[str, ...]) -> None:
    assert projected(**fields).owners == owners


def test_operators_are_named_as_people_see_them() -> None:
    tasks = [
        task("a", _operator_name="@task"),
        task("b"),
        task("c", task_type="", partial_kwargs={"task_type": "KubernetesPodOperator"}),
        {"task_id": "old", "_task_type": "OldOperator"},
        task("again"),
    ]
    found = projected(tasks=tasks)
    assert found.operators == ("@task", "BashOperator", "KubernetesPodOperator", "OldOperator")
    assert found.task_count == 5


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        ({"__type": "datetime", "__var": 1.5}, datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC)),
        (-1.0, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (True, None),
        ("2020-01-01", None),
        (10**18, None),
        (10**400, None),
        (1e308, None),
        (-1e300, None),
        (None, None),
        ([], None),
    ],
)
def test_a_date_is_seconds_or_nothing(written: object, read: datetime | None) -> None:
    found = projected(start_date=written, end_date=written)
    assert (found.start_date, found.end_date) == (read, read)


@pytest.mark.parametrize("version", [None, True, -1, 2**31, 10**400, 3.0, "3", [3]])
def test_an_odd_format_version_is_none(version: object) -> None:
    assert project({"__version": version, "dag": {}}).serialization_version == 0


def test_texts_are_bounded_and_hold_no_nul() -> None:
    long = "a\0" + "x" * 20_000
    edge = {"source": long, "target": long, "label": long, "dependency_id": long}
    found = projected(
        description=long,
        dag_display_name=long,
        fileloc=long,
        tags=[long],
        tasks=[task("a", owner=long, _operator_name=long)],
        dag_dependencies=[edge],
    )
    [dependency] = found.dependencies
    for text in (
        found.description,
        found.display_name,
        found.fileloc,
        *found.tags,
        *found.owners,
        *found.operators,
        dependency.source,
        dependency.target,
        dependency.label,
        dependency.dependency_id,
    ):
        assert len(text) == 10_000
        assert text.startswith("a\ufffdx")


def test_dependencies_are_bounded() -> None:
    found = projected(dag_dependencies=[{"source": "a"}] * 10_001)
    assert len(found.dependencies) == 10_000


def test_the_file_is_where_the_document_says_it_is() -> None:
    assert relative_file(format_3()) == "nightly.py"
    assert relative_file(edited(format_3(), set_dag(relative_fileloc=None))) == "/dags/nightly.py"
    assert relative_file({"dag": {"fileloc": 7}}) == ""


KEYS = st.sampled_from(
    [
        *format_3()["dag"],
        *format_1()["dag"],
        *format_3()["dag"]["tasks"][0]["__var"],
        "__type",
        "__var",
        "children",
        "delta",
        "expression",
        "expressions",
        "asset_condition",
        "objects",
        "name",
        "partial_kwargs",
        "schedule_interval",
        "\0",
    ]
)
TYPES = st.sampled_from(
    [
        "set",
        "operator",
        "airflow.timetables.trigger.DeltaTriggerTimetable",
        "airflow.timetables.trigger.CronTriggerTimetable",
        "airflow.timetables.trigger.MultipleCronTriggerTimetable",
        "airflow.timetables.assets.AssetOrTimeSchedule",
        "airflow.timetables.simple.AssetTriggeredTimetable",
        "airflow.timetables.events.EventsTimetable",
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(2**63), 2**31])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    | TYPES
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=6)
        | st.fixed_dictionaries(
            {"__type": TYPES, "__var": st.dictionaries(KEYS, inner, max_size=4)}
        )
    ),
    max_leaves=25,
)


@given(st.dictionaries(KEYS, JSON, max_size=8))
@settings(max_examples=200, deadline=None)
def test_no_document_surprises_what_reads_it(dag: Tree) -> None:
    document = canonicalize(as_bytes({"dag": dag}), DocumentLimits())
    as_sent = canonicalize(json.dumps({"dag": dag}).encode(), DocumentLimits())
    found = project(document.tree)
    assert found == project(as_sent.tree)
    assert hash_document(document) == hash_document(as_sent)
    assert "\0" not in relative_file(document.tree)
    for text in (found.description, found.fileloc, *found.tags, *found.owners, *found.operators):
        assert "\0" not in text
    for text in (found.schedule.text, found.schedule.timezone, found.schedule.timetable):
        assert "\0" not in text
