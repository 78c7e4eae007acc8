"""Comparing versions through the client, against a real server."""

import pytest

from dagcatalog_client import (
    AsyncClient,
    ChangeClass,
    Client,
    DagNotFound,
    Difference,
    DifferenceKind,
    EdgeDifference,
    FieldDifference,
    InvalidArgument,
    PutItem,
    VersionNotFound,
)
from tests.support.dags import dag_document
from tests.support.versions import newer, older

ADDED, REMOVED, CHANGED = DifferenceKind.ADDED, DifferenceKind.REMOVED, DifferenceKind.CHANGED


def test_a_diff_tells_tasks_edges_schedule_and_metadata(client: Client) -> None:
    first, second = client.put("etl", older()), client.put("etl", newer())
    diff = client.diff("etl")
    assert (diff.older.version, diff.newer) == (1, second.summary)
    assert diff.older.content_hash == first.summary.content_hash
    found = diff.difference
    assert found.classes == (ChangeClass.STRUCTURE, ChangeClass.SCHEDULE, ChangeClass.METADATA)
    assert [(task.task_id, task.kind) for task in found.tasks] == [
        ("extract", CHANGED),
        ("load", ADDED),
        ("old", REMOVED),
    ]
    assert FieldDifference(ADDED, "retries", "", "3") in found.tasks[0].fields
    assert found.edges == (EdgeDifference(ADDED, "extract", "load"),)
    cron = "dag.timetable.__var.expression"
    assert found.schedule == (FieldDifference(CHANGED, cron, '"0 3 * * *"', '"0 4 * * *"'),)
    assert [field.path for field in found.metadata] == ["dag.description"]
    assert "dag.tasks[0].__var.retries" in {field.path for field in found.json}
    assert (found.truncated, found.empty) == (False, False)


def test_a_diff_takes_any_two_versions(client: Client) -> None:
    for tag in ("x", "y", "z"):
        client.put("etl", dag_document("etl", tags=[tag]))

    def compared(first: int | None, second: int | None) -> tuple[int, int, str]:
        diff = client.diff("etl", from_version=first, to_version=second)
        return diff.older.version, diff.newer.version, diff.difference.json[0].new_json

    assert compared(None, None) == (2, 3, '"z"')
    assert compared(1, None) == (1, 3, '"z"')
    assert compared(None, 2) == (1, 2, '"y"')
    assert compared(3, 1) == (3, 1, '"x"')


def test_a_version_does_not_differ_from_itself(client: Client) -> None:
    client.put("etl", older())
    same = client.diff("etl", from_version=1).difference
    assert same.empty
    assert same.classes == ()


def test_a_diff_of_what_is_not_there_is_an_error(client: Client) -> None:
    client.put("etl", older())
    with pytest.raises(DagNotFound):
        client.diff("missing")
    with pytest.raises(VersionNotFound):
        client.diff("etl", from_version=9)
    with pytest.raises(InvalidArgument) as caught:
        client.diff("etl")
    assert caught.value.field_path == "from_version"


def test_a_long_list_of_values_is_cut_and_says_so(client: Client) -> None:
    for value in (0, 1):
        document = dag_document("etl")
        document["dag"]["params"] = [value] * 10_001  # type: ignore[index]  # a nested document
        client.put("etl", document)
    found = client.diff("etl").difference
    assert (len(found.json), found.truncated) == (10_000, True)


def test_a_rehearsed_put_tells_what_it_would_change(client: Client) -> None:
    absent = client.put("etl", older(), validate_only=True)
    written = client.put("etl", older())
    rehearsed = client.put("etl", newer(), validate_only=True)
    client.put("etl", newer())
    assert (absent.difference, written.difference) == (None, None)
    assert rehearsed.difference == client.diff("etl").difference
    same = client.put("etl", newer(), validate_only=True).difference
    assert isinstance(same, Difference)
    assert same.empty


def test_a_batch_tells_no_difference(client: Client) -> None:
    client.put("etl", older())
    batch = client.put_batch([PutItem("etl", newer())], validate_only=True)
    assert batch.results[0].difference is None


async def test_the_async_client_tells_the_same(async_client: AsyncClient) -> None:
    await async_client.put("etl", older())
    rehearsed = await async_client.put("etl", newer(), validate_only=True)
    await async_client.put("etl", newer())
    diff = await async_client.diff("etl", from_version=1, to_version=2)
    assert rehearsed.difference == diff.difference
    assert (diff.older.version, diff.newer.version) == (1, 2)
