"""`dagctl diff` and `dagctl put --dry-run`, as people and programs read them."""

import json
from collections.abc import Callable

import pytest
import yaml

from tests.support.dagctl import Dagctl
from tests.support.dags import dag_document
from tests.support.versions import newer, older

X, Y = "x" * 14, "x" * 55
IN_WORDS = f"""\
Tasks
  ~ extract
    ~ bash_command:
      - …{X}abc{Y}…
      + …{X}abd{Y}…
    + retries: 3
  + load
  - old
Edges
  + extract -> load
Structure
  ~ task_group.tooltip: "before" -> "after"
Schedule
  ~ timetable.__var.expression: "0 3 * * *" -> "0 4 * * *"
Metadata
  + description: "é [bold]x[/bold] \\u001b"
"""


@pytest.fixture
def two_versions(dagctl: Dagctl) -> Dagctl:
    dagctl.client.put("etl", older())
    dagctl.client.put("etl", newer())
    return dagctl


def test_a_diff_speaks_of_tasks_edges_schedule_and_metadata(two_versions: Dagctl) -> None:
    done = two_versions("diff", "etl")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"etl: version 1 -> 2\n{IN_WORDS}"


def test_every_value_follows_when_asked_for(two_versions: Dagctl) -> None:
    told = two_versions("diff", "etl", "1", "2", "--json-values").stdout
    assert told.startswith(f"etl: version 1 -> 2\n{IN_WORDS}Values\n")
    assert "\n  + dag.tasks[0].__var.retries: 3\n" in told
    assert '\n  + dag.task_group.children.load: ["operator", "load"]\n' in told
    assert f'    - "{"x" * 200}abc{"x" * 200}"\n' in told


def test_colours_are_for_terminals(two_versions: Dagctl) -> None:
    plain = two_versions("diff", "etl").stdout
    two_versions.environment["FORCE_COLOR"] = "1"
    coloured = two_versions("diff", "etl").stdout
    assert "\x1b" not in plain
    assert "\x1b[32mload\x1b[0m" in coloured
    assert "\x1b[31mold\x1b[0m" in coloured


def test_a_diff_has_a_form_for_programs(two_versions: Dagctl) -> None:
    forms: dict[str, Callable[[str], object]] = {"json": json.loads, "yaml": yaml.safe_load}
    for form, load in forms.items():
        told = load(two_versions("diff", "etl", "-o", form).stdout)
        assert isinstance(told, dict)
        assert (told["older"]["version"], told["newer"]["version"]) == (1, 2)
        tasks = told["difference"]["tasks"]
        assert [(task["kind"], task["task_id"]) for task in tasks] == [
            ("CHANGED", "extract"),
            ("ADDED", "load"),
            ("REMOVED", "old"),
        ]
        assert told["difference"]["truncated"] is False


def test_where_nothing_differs_it_says_so(two_versions: Dagctl) -> None:
    done = two_versions("diff", "etl", "2")
    assert done.stdout == "etl: version 2 -> 2\nnothing differs in the document\n"
    assert done.returncode == 0
    assert two_versions("diff", "etl", "2", "-o", "name").stdout == ""
    assert two_versions("diff", "etl", "-o", "name").stdout == "etl\n"


def test_what_cannot_be_compared_is_one_sentence(dagctl: Dagctl) -> None:
    dagctl.client.put("etl", older())
    failures = {
        "no DAG named 'missing'": (3, dagctl("diff", "missing")),
        "has no version 9": (3, dagctl("diff", "etl", "9")),
        "there is none before it": (1, dagctl("diff", "etl")),
    }
    for sentence, (code, done) in failures.items():
        assert (done.returncode, done.stdout) == (code, "")
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert dagctl("diff", "etl", "first").returncode == 2


def test_a_rehearsed_put_shows_what_it_would_change(dagctl: Dagctl) -> None:
    dagctl.client.put("etl", older())
    document = json.dumps(newer())
    told = dagctl("put", "-", "--dry-run", stdin=document)
    assert told.stdout == f"etl: would be new version, version 2\n{IN_WORDS}"
    told = dagctl("put", "-", "--dry-run", "-o", "json", stdin=document)
    assert json.loads(told.stdout)["difference"]["edges"][0]["downstream_task_id"] == "load"
    told = dagctl("put", "-", "--dry-run", "--label", "a=b", stdin=json.dumps(older()))
    assert told.stdout.splitlines() == [
        "etl: would be refreshed, version 1",
        "nothing differs in the document",
    ]
    assert dagctl.client.get("etl").summary.version == 1


def test_a_put_may_say_where_the_document_came_from(dagctl: Dagctl) -> None:
    document = json.dumps(dag_document("etl"))
    dagctl("put", "-", "--bundle", "main", stdin=document)
    place = dagctl.client.get("etl").summary.provenance
    assert (place.bundle_name, place.file) == ("main", "etl.py")
    dagctl("put", "-", "--bundle", "main", "--file", "dags/etl.py", stdin=document)
    place = dagctl.client.get("etl").summary.provenance
    assert (place.bundle_name, place.file) == ("main", "dags/etl.py")
