"""A local copy through a real server: it is there, it follows, it says what happened."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dagcatalog_client import (
    Client,
    ContentNotFound,
    DagNotFound,
    DagSummary,
    DagView,
    Informer,
    InvalidArgument,
    NotSynced,
    Position,
    PutItem,
    Unavailable,
)
from tests.support.dags import dag_document
from tests.support.server import RunningServer, running_server
from tests.support.waiting import wait_until

PATIENCE_S = 30.0
Heard = list[tuple[str, str, int, int]]


@pytest.fixture
def informer(client: Client) -> Iterator[Informer]:
    client.put_batch([PutItem(name, dag_document(name)) for name in ("a", "b")])
    with Informer(client) as opened:
        opened.wait_for_sync(PATIENCE_S)
        yield opened


def put(client: Client, name: str, *tags: str) -> Position:
    return client.put(name, dag_document(name, tags=tags)).position


def listen(informer: Informer) -> Heard:
    heard: Heard = []
    informer.add_handler(
        added=lambda new: heard.append(("added", new.dag_id, 0, new.version)),
        updated=lambda old, new: heard.append(("updated", new.dag_id, old.version, new.version)),
        deleted=lambda old: heard.append(("deleted", old.dag_id, old.version, 0)),
    )
    return heard


def test_the_present_is_there_and_every_change_follows(client: Client, informer: Informer) -> None:
    assert [one.dag_id for one in informer.list()] == ["a", "b"]
    assert informer.list()[0] == client.get("a").summary
    dag = informer.get("a")
    assert dag == client.get("a")
    informer.wait_for(put(client, "a", "new"), PATIENCE_S)
    assert informer.get("a").summary.tags == ("new",)
    assert informer.get("a").json() == dag_document("a", tags=["new"])
    informer.wait_for(client.delete("b").position, PATIENCE_S)
    with pytest.raises(DagNotFound) as caught:
        informer.get("b")
    assert (caught.value.namespace, caught.value.dag_id) == (client.namespace, "b")
    informer.wait_for(client.restore("b").position, PATIENCE_S)
    assert informer.summary("b").version == 1


def test_the_same_object_is_given_until_it_changes(client: Client, informer: Informer) -> None:
    assert informer.get("a") is informer.get("a")
    before = informer.get("a")
    informer.wait_for(put(client, "b", "x"), PATIENCE_S)
    assert informer.get("a") is before


def test_handlers_hear_of_each_change_once_and_in_order(client: Client) -> None:
    put(client, "a")
    informer = Informer(client)
    heard = listen(informer)
    with informer:
        informer.wait_for_sync(PATIENCE_S)
        for tag in "xy":
            put(client, "a", tag)
        put(client, "b")
        client.delete("a")
        client.restore("a")
        wait_until(lambda: len(heard) == 6)
    assert heard == [
        ("added", "a", 0, 1),
        ("updated", "a", 1, 2),
        ("updated", "a", 2, 3),
        ("added", "b", 0, 1),
        ("deleted", "a", 3, 0),
        ("added", "a", 0, 3),
    ]


def test_a_handler_sees_its_change_in_the_local_copy(client: Client) -> None:
    informer = Informer(client)
    seen: list[bytes] = []
    informer.add_handler(added=lambda new: seen.append(informer.get(new.dag_id).document))
    with informer:
        put(client, "a")
        wait_until(lambda: len(seen) == 1)
    assert seen == [client.get("a").document]


def test_a_handler_that_raises_ends_nothing(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(new: DagSummary) -> None:
        raise ValueError(new.dag_id)

    informer = Informer(client)
    informer.add_handler(added=fail)
    heard = listen(informer)
    with informer:
        informer.wait_for_sync(PATIENCE_S)
        put(client, "a")
        put(client, "b")
        wait_until(lambda: len(heard) == 2)
        assert informer.failure is None
    assert caplog.text.count("handler_failed") == 2


def test_a_handler_may_close_the_informer(client: Client) -> None:
    informer = Informer(client)
    informer.add_handler(added=lambda _: informer.close())
    with informer:
        put(client, "a")
        wait_until(lambda: not any(thread.is_alive() for thread in informer._threads))
        assert informer.get("a").summary.version == 1


def test_indexes_of_ones_own_are_kept_up_to_date(client: Client) -> None:
    put(client, "a", "red")
    informer = Informer(client)
    informer.add_index("tag", lambda summary: summary.tags)
    with informer:
        informer.wait_for_sync(PATIENCE_S)
        put(client, "b", "red", "blue")
        informer.wait_for(put(client, "a", "green"), PATIENCE_S)
        found = {
            tag: [one.dag_id for one in informer.by_index("tag", tag)]
            for tag in ("red", "blue", "green", "none")
        }
        assert found == {"red": ["b"], "blue": ["b"], "green": ["a"], "none": []}
        with pytest.raises(KeyError):
            informer.by_index("owner", "x")
        with pytest.raises(RuntimeError):
            informer.add_index("late", lambda summary: ())


def test_a_content_is_found_by_its_hash_also_when_it_is_of_the_past(
    client: Client, informer: Informer
) -> None:
    old = client.get("a")
    informer.wait_for(put(client, "a", "new"), PATIENCE_S)
    assert informer.by_hash(old.summary.content_hash) == old.document
    assert informer.by_hash(informer.summary("a").content_hash) == client.get("a").document
    with pytest.raises(ContentNotFound):
        informer.by_hash("0" * 64)
    with pytest.raises(InvalidArgument):
        informer.by_hash("../" + "0" * 61)


def test_documents_on_demand_are_fetched_when_they_are_asked_for(client: Client) -> None:
    put(client, "a")
    with Informer(client, view=DagView.SUMMARY) as informer:
        informer.wait_for_sync(PATIENCE_S)
        assert len(informer._documents) == 0
        assert informer.get("a").document == client.get("a").document
        informer.wait_for(put(client, "a", "x"), PATIENCE_S)
        assert informer.get("a").summary.tags == ("x",)


def test_documents_beyond_the_bound_are_fetched_again(client: Client) -> None:
    for number in range(6):
        client.put(f"d{number}", dag_document(f"d{number}", padding=chr(97 + number) * 9_000))
    with Informer(client, memory_bytes=30_000) as informer:
        informer.wait_for_sync(PATIENCE_S)
        for number in range(6):
            assert informer.get(f"d{number}").document == client.get(f"d{number}").document
            assert informer._documents.held_bytes <= 30_000


def test_many_who_miss_the_same_document_ask_once(client: Client) -> None:
    put(client, "a")
    asked = CountingClient(client.address, namespace=client.namespace)
    with asked, Informer(asked, view=DagView.SUMMARY) as informer:
        informer.wait_for_sync(PATIENCE_S)
        together = threading.Barrier(16)

        def read() -> bytes:
            together.wait(PATIENCE_S)
            return informer.get("a").document

        with ThreadPoolExecutor(16) as pool:
            found = {future.result() for future in [pool.submit(read) for _ in range(16)]}
    assert found == {client.get("a").document}
    assert asked.batches == 1


class CountingClient(Client):
    """Counts the batches that are asked for, and lets those who come meanwhile come."""

    batches = 0

    def get_batch(self, *args, **kwargs):  # type: ignore[no-untyped-def]  # as the client's
        self.batches += 1
        threading.Event().wait(0.2)
        return super().get_batch(*args, **kwargs)


def test_a_prefix_and_namespaces_choose(client: Client) -> None:
    other = f"{client.namespace[:50]}-other"
    for name in ("etl_a", "ml_a"):
        put(client, name)
    client.put("etl_b", dag_document("etl_b"), namespace=other)
    with Informer(client, namespaces=[client.namespace, other], dag_id_prefix="etl_") as informer:
        informer.wait_for_sync(PATIENCE_S)
        assert [one.dag_id for one in informer.list(namespace=client.namespace)] == ["etl_a"]
        assert informer.get("etl_b", namespace=other).summary.namespace == other
        put(client, "ml_b")
        informer.wait_for(put(client, "etl_c"), PATIENCE_S)
        assert {one.dag_id for one in informer.list()} == {"etl_a", "etl_b", "etl_c"}


def test_before_the_first_state_nothing_is_claimed_to_be_missing() -> None:
    with Client("127.0.0.1:1") as client, Informer(client) as informer:
        for ask in (lambda: informer.get("a"), informer.list, lambda: informer.summary("a")):
            with pytest.raises(NotSynced):
                ask()
        with pytest.raises(NotSynced, match=r"no catalog answers at 127\.0\.0\.1:1") as caught:
            informer.wait_for_sync(3)
        assert isinstance(caught.value.__cause__, Unavailable)
        assert informer.failure is caught.value.__cause__
        assert informer.staleness_s() == float("inf")
        assert (informer.position, informer.last_contact, informer.synced) == (None, None, False)


def test_a_refused_watch_is_told_at_once(client: Client) -> None:
    with (
        Informer(client, namespaces=["NO SUCH NAME"]) as informer,
        pytest.raises(InvalidArgument, match="namespace"),
    ):
        informer.wait_for_sync(PATIENCE_S)


def test_a_position_that_does_not_come_is_named(client: Client, informer: Informer) -> None:
    position = put(client, "a", "x")
    informer.wait_for(position, PATIENCE_S)
    with pytest.raises(NotSynced, match="not at"):
        informer.wait_for(Position(position.epoch, position.revision + 1), 0.05)


def test_staleness_is_the_time_since_the_last_contact(client: Client) -> None:
    now_s = [1_000.0]
    with Informer(client, clock=lambda: now_s[0], bookmark_interval_s=600) as informer:
        informer.wait_for_sync(PATIENCE_S)
        now_s[0] += 42
        assert informer.staleness_s() == 42
        informer.wait_for(put(client, "a"), PATIENCE_S)
        assert informer.staleness_s() == 0


def test_an_idle_catalog_does_not_grow_stale(informer: Informer) -> None:
    first = informer.last_contact
    assert first is not None
    wait_until(lambda: (informer.last_contact or first) > first)


def test_what_is_in_memory_can_be_read_after_the_end(client: Client) -> None:
    put(client, "a")
    with Informer(client) as informer:
        informer.wait_for_sync(PATIENCE_S)
    informer.close()
    assert informer.get("a").summary.version == 1
    with pytest.raises(RuntimeError):
        informer.start()


def test_a_closed_client_ends_the_informer_with_its_error(server: RunningServer) -> None:
    client = Client(server.address)
    with Informer(client) as informer:
        informer.wait_for_sync(PATIENCE_S)
        client.close()
        wait_until(lambda: not any(thread.is_alive() for thread in informer._threads))
        assert "closed" in str(informer.failure)


def test_documents_of_other_views_are_refused(client: Client) -> None:
    with pytest.raises(ValueError, match="SUMMARY or DOCUMENT"):
        Informer(client, view=DagView.SOURCE)


def test_a_program_that_forgets_to_close_ends_all_the_same(tmp_path: Path) -> None:
    program = (
        "import sys; from dagcatalog_client import Client, Informer\n"
        "informer = Informer(Client(sys.argv[1]), folder=sys.argv[2])\n"
        "informer.start(); informer.wait_for_sync(30); print(len(informer.list()))"
    )
    with running_server(tmp_path / "catalog.db") as server, Client(server.address) as client:
        put(client, "a")
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program, server.address, str(tmp_path / "cache")],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_consumer_acknowledges_what_its_handlers_have_heard_and_leaves(client: Client) -> None:
    put(client, "a")
    going, heard = threading.Event(), threading.Event()

    def hear(old: DagSummary, new: DagSummary) -> None:
        heard.set()
        assert going.wait(PATIENCE_S)

    informer = Informer(client, consumer_id="webserver-1")
    informer.add_handler(updated=hear)
    with informer:
        informer.wait_for_sync(PATIENCE_S)
        assert client.await_propagation(wait_s=PATIENCE_S).propagated
        position = put(client, "a", "x")
        assert heard.wait(PATIENCE_S)
        waiting = client.await_propagation(position, wait_s=0.3)
        assert [one.consumer_id for one in waiting.lagging] == ["webserver-1"]
        going.set()
        assert client.await_propagation(position, wait_s=PATIENCE_S).propagated
    assert "webserver-1" not in [one.consumer_id for one in client.status().consumers]
