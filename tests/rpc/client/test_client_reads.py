"""Reading through the client, against a real server."""

import pytest

from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_client import (
    AsyncClient,
    Client,
    Consistency,
    ContentNotFound,
    DagFilter,
    DagNotFound,
    DagProfile,
    DagSelector,
    DagView,
    DeletedFilter,
    OtherEpoch,
    Position,
    RevisionInFuture,
    ScheduleKind,
    StatePage,
    VersionNotFound,
)
from dagcatalog_client.calls import reads
from tests.support.dags import dag_document
from tests.support.server import RunningServer


def test_a_get_reads_the_head_a_version_a_content_or_the_past(client: Client) -> None:
    first = client.put("etl", dag_document("etl", tags=["old"]))
    second = client.put("etl", dag_document("etl", tags=["new"]))
    assert client.get("etl").summary == second.summary
    assert client.get("etl", version=1).summary.tags == ("old",)
    assert client.get("etl", content_hash=first.summary.content_hash).summary.version == 1
    assert client.get("etl", at=first.position).summary.version == 1
    assert client.get("etl", at=first.position.revision).json() == dag_document("etl", tags=["old"])
    with pytest.raises(ValueError, match="one of"):
        client.get("etl", version=1, at=1)


def test_a_view_carries_what_it_names(client: Client) -> None:
    client.put("etl", dag_document("etl"), source="# the file")
    summary = client.get("etl", view=DagView.SUMMARY)
    assert (summary.document, summary.source) == (b"", None)
    with pytest.raises(ValueError, match="no document"):
        summary.json()
    assert client.get("etl", view=DagView.SOURCE).source == "# the file"
    readable = client.get("etl", view=DagView.READABLE).readable
    assert readable is not None
    assert readable["__version"] == 3.0


def test_an_unchanged_document_is_not_sent_again(client: Client) -> None:
    known = client.put("etl", dag_document("etl")).summary.content_hash
    answer = client.get("etl", if_none_match=known)
    assert (answer.not_modified, answer.document) == (True, b"")
    assert not client.get("etl", if_none_match="0" * 64).not_modified


def test_what_is_missing_is_named(client: Client) -> None:
    client.put("etl", dag_document("etl"))
    with pytest.raises(DagNotFound) as no_dag:
        client.get("missing")
    with pytest.raises(VersionNotFound) as no_version:
        client.get("etl", version=9)
    with pytest.raises(ContentNotFound) as no_content:
        client.get("etl", content_hash="0" * 64)
    assert (no_dag.value.dag_id, no_dag.value.deleted_at_revision) == ("missing", 0)
    assert (no_version.value.version, no_version.value.head_version) == (9, 1)
    assert no_content.value.content_hash == "0" * 64


def test_a_tombstone_can_be_read(client: Client) -> None:
    client.put("etl", dag_document("etl"))
    client.delete("etl")
    assert client.get("etl", include_deleted=True).summary.deleted


def test_each_of_a_batch_has_its_own_answer(client: Client) -> None:
    client.put("a", dag_document("a"))
    client.put("a", dag_document("a", tags=["x"]))
    asked: list[str | DagSelector] = [
        "a",
        DagSelector("a", version=1),
        "missing",
        DagSelector("a", version=7),
    ]
    answers = sorted(client.get_batch(asked), key=lambda answer: answer.index)
    assert [answer.index for answer in answers] == [0, 1, 2, 3]
    assert [answer.selector.dag_id for answer in answers] == ["a", "a", "missing", "a"]
    assert [answer.unwrap().summary.version for answer in answers[:2]] == [2, 1]
    assert isinstance(answers[2].error, DagNotFound)
    with pytest.raises(VersionNotFound):
        answers[3].unwrap()


def test_a_batch_is_answered_in_the_order_of_the_request(client: Client) -> None:
    client.put("a", dag_document("a"))
    answers = client.get_batch(["a", "missing", "a"])
    assert [answer.index for answer in answers] == [0, 1, 2]


def test_leaving_a_batch_early_leaves_nothing_open(client: Client) -> None:
    client.put("a", dag_document("a", padding="x" * 1_000_000))
    answers = client.get_batch(["a"] * 50)
    assert next(answers).index == 0
    del answers
    assert client.get("a").summary.version == 1


def test_a_list_walks_every_page_of_one_revision(client: Client) -> None:
    for number in range(5):
        client.put(f"dag_{number}", dag_document(f"dag_{number}"))
    found = client.list(page_size=2, order_by="dag_id desc")
    seen = [next(found).dag_id]
    client.put("dag_9", dag_document("dag_9"))
    seen += [summary.dag_id for summary in found]
    assert seen == ["dag_4", "dag_3", "dag_2", "dag_1", "dag_0"]


def test_a_page_says_what_follows(client: Client) -> None:
    for number in range(3):
        client.put(f"dag_{number}", dag_document(f"dag_{number}"))
    first = client.list_page(page_size=2)
    client.put("dag_9", dag_document("dag_9"))
    last = client.list_page(page_size=2, page_token=first.next_page_token)
    assert [s.dag_id for s in (*first.dags, *last.dags)] == ["dag_0", "dag_1", "dag_2"]
    assert (first.total_size, last.total_size, last.next_page_token) == (3, 3, "")
    assert first.position == last.position


def test_a_filter_keeps_what_it_names(client: Client) -> None:
    client.put("a", dag_document("a", tags=["red", "big"], description="Loads Things"))
    client.put("b", dag_document("b", tags=["red"], cron="*/5 * * * *"))
    client.put("gone", dag_document("gone"))
    client.delete("gone")

    def named(**conditions: object) -> list[str]:
        chosen = DagFilter(**conditions)  # type: ignore[arg-type]  # the cases below are typed
        return [summary.dag_id for summary in client.list(chosen)]

    assert named(tags_any=("red", "green")) == ["a", "b"]
    assert named(tags_all=("red", "big")) == ["a"]
    assert named(text="loads") == ["a"]
    assert named(dag_id_prefix="b") == ["b"]
    assert named(schedule_kinds=(ScheduleKind.CRON,)) == ["a", "b"]
    assert named(operators=("BashOperator",), owners=("data-team",)) == ["a", "b"]
    assert named(deleted=DeletedFilter.ONLY) == ["gone"]
    assert named(file="a.py") == ["a"]


def test_a_history_is_newest_first(client: Client) -> None:
    for tag in ("x", "y", "z"):
        client.put("etl", dag_document("etl", tags=[tag]))
    versions = list(client.list_versions("etl", page_size=2))
    assert [(v.version, v.head) for v in versions] == [(3, True), (2, False), (1, False)]
    assert versions[2].summary.tags == ("x",)


def test_the_status_tells_where_the_catalog_stands(client: Client) -> None:
    put = client.put("etl", dag_document("etl"))
    status = client.status()
    assert status.position == put.position
    assert status.store == "sqlite"
    counts = {each.namespace: each for each in status.namespaces}
    assert counts[client.namespace].dag_count == 1


def test_the_client_carries_the_newest_position(server: RunningServer, client: Client) -> None:
    before = client.position
    put = client.put("etl", dag_document("etl"))
    assert (before, client.position) == (None, put.position)
    with Client(server.address, namespace=client.namespace) as other:
        other.get("etl")
        assert other.position == put.position


def test_a_position_of_another_history_is_refused_until_it_is_forgotten(client: Client) -> None:
    client.put("etl", dag_document("etl"))
    client._caller.last_seen.observe(Position("another-epoch", 1))
    with pytest.raises(OtherEpoch) as caught:
        client.get("etl")
    assert caught.value.current.epoch not in ("", "another-epoch")
    client.forget_position()
    assert client.get("etl").summary.version == 1


def test_the_future_is_refused(client: Client) -> None:
    client.put("etl", dag_document("etl"))
    with pytest.raises(RevisionInFuture) as caught:
        client.get("etl", at=1_000_000)
    assert caught.value.revision == 1_000_000


async def test_the_async_client_reads_the_same(async_client: AsyncClient) -> None:
    for tag in ("x", "y"):
        await async_client.put("etl", dag_document("etl", tags=[tag]))
    assert (await async_client.get("etl")).summary.tags == ("y",)
    assert [s.dag_id async for s in async_client.list(page_size=1)] == ["etl"]
    assert (await async_client.list_page()).total_size == 1
    assert [v.version async for v in async_client.list_versions("etl", page_size=1)] == [2, 1]
    batch = {a.selector.dag_id: a async for a in async_client.get_batch(["etl", "missing"])}
    assert isinstance(batch["missing"].error, DagNotFound)
    assert [error async for error in async_client.list_parse_errors()] == []
    assert (await async_client.status()).position == async_client.position


def test_a_large_document_travels_compressed_and_comes_out_as_it_was(client: Client) -> None:
    document = dag_document("etl", padding="a word " * 10_000)
    client.put("etl", document)
    answer = client._stub.Get(reads.get(
        client._caller, "etl", version=None, content_hash=None, at=None, view=DagView.DOCUMENT,
        profile=DagProfile.FULL, if_none_match=None, include_deleted=False,
        consistency=Consistency.LINEARIZABLE, namespace=None, timeout_s=None,
    ).request)  # fmt: skip
    assert answer.dag.document_encoding == res.DOCUMENT_ENCODING_ZSTD
    assert len(answer.dag.document) < 5_000
    assert client.get("etl").json() == document
    (batched,) = client.get_batch(["etl"])
    assert batched.unwrap().json() == document
    with client.watch(initial_state=True, view=DagView.DOCUMENT, timeout_s=10) as watch:
        page = next(watch)
        assert isinstance(page, StatePage)
        assert page.dags[0].json() == document
