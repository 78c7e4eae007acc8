"""What a local copy does when the catalog goes away, comes back, forgets, or becomes another."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dagcatalog_client import (
    BatchedDag,
    CatalogError,
    Client,
    DagNotFound,
    DagSelector,
    Informer,
    OtherEpoch,
    RevisionCompacted,
)
from dagcatalog_server.store.backup import back_up, restore
from tests.support.dags import dag_document
from tests.support.home import Home, home
from tests.support.waiting import wait_until

PATIENCE_S = 30.0


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Home]:
    with home(tmp_path) as one:
        one.start()
        yield one


def put(place: Home, name: str, *tags: str) -> None:
    with place.direct() as client:
        client.put(name, dag_document(name, tags=tags))


def follow(informer: Informer) -> list[str]:
    heard: list[str] = []
    informer.add_handler(
        added=lambda new: heard.append(f"+{new.dag_id}"),
        updated=lambda old, new: heard.append(f"{new.dag_id}:{old.version}>{new.version}"),
        deleted=lambda old: heard.append(f"-{old.dag_id}"),
    )
    return heard


def catch_up(place: Home, informer: Informer) -> None:
    with place.direct() as client:
        informer.wait_for(client.status().position, PATIENCE_S)


def test_a_kill_and_a_restart_lose_nothing_and_repeat_nothing(place: Home) -> None:
    put(place, "a")
    with Client(place.address) as client:
        informer = Informer(client)
        heard = follow(informer)
        with informer:
            informer.wait_for_sync(PATIENCE_S)
            for tag in ("x", "y"):
                place.kill()
                wait_until(lambda: informer.failure is not None)
                assert informer.get("a").summary.dag_id == "a"
                place.start()
                put(place, "a", tag)
                catch_up(place, informer)
            assert informer.failure is None
            assert heard == ["+a", "a:1>2", "a:2>3"]


def test_a_drain_moves_the_watch_without_an_error(place: Home) -> None:
    put(place, "a")
    with Client(place.address) as client, Informer(client) as informer:
        informer.wait_for_sync(PATIENCE_S)
        place.stop()
        place.start()
        put(place, "b")
        catch_up(place, informer)
        assert [one.dag_id for one in informer.list()] == ["a", "b"]


def test_a_reset_and_a_stall_are_survived(place: Home) -> None:
    put(place, "a")
    options = {"grpc.keepalive_time_ms": 5_000, "grpc.http2.ping_timeout_ms": 1_000}
    with Client(place.address, channel_options=options) as client, Informer(client) as informer:
        informer.wait_for_sync(PATIENCE_S)
        place.tell(lambda proxy: proxy.reset())
        put(place, "a", "x")
        catch_up(place, informer)
        place.tell(lambda proxy: proxy.stall())
        put(place, "a", "y")
        wait_until(lambda: informer.failure is not None)  # keepalive has noticed
        assert informer.get("a").summary.tags == ("x",)
        place.mend()
        catch_up(place, informer)
        assert informer.get("a").summary.tags == ("y",)


def test_a_compacted_past_is_replaced_by_the_present_and_told_as_the_difference(
    place: Home,
) -> None:
    for name in ("same", "changed", "lost"):
        put(place, name)
    with Client(place.address) as client:
        informer = Informer(client)
        heard = follow(informer)
        with informer:
            informer.wait_for_sync(PATIENCE_S)
            same = informer.get("same")
            place.cut_off()
            wait_until(lambda: informer.failure is not None)
            with place.direct() as direct:
                direct.put("changed", dag_document("changed", tags=["x"]))
                direct.put("new", dag_document("new"))
                direct.delete("lost")
                direct.prune(compact_revision=direct.status().position.revision)
            assert informer.get("lost").summary.version == 1  # what it has, until it has better
            place.mend()
            catch_up(place, informer)
            assert heard[3:] == ["changed:1>2", "+new", "-lost"]
            assert informer.get("same") is same
            with pytest.raises(DagNotFound):
                informer.get("lost")
            wait_until(lambda: informer.failure is None)


def test_the_error_of_a_compacted_past_is_known(place: Home) -> None:
    put(place, "a")
    with Client(place.address) as client, Remembering(client) as informer:
        informer.wait_for_sync(PATIENCE_S)
        place.cut_off()
        wait_until(lambda: informer.failure is not None)
        put(place, "a", "x")
        put(place, "b")
        with place.direct() as direct:
            direct.prune(compact_revision=direct.status().position.revision)
        place.mend()
        catch_up(place, informer)
    assert RevisionCompacted in informer.failures


class Remembering(Informer):
    """Keeps the kinds of all failures."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self.failures: list[type] = []

    def _failed(self, error: CatalogError) -> float:
        self.failures.append(type(error))
        return super()._failed(error)


def test_a_restored_catalog_is_taken_over_as_it_is(place: Home, tmp_path: Path) -> None:
    put(place, "kept")
    saved = tmp_path / "saved.backup"
    back_up(f"sqlite:///{place.path}", saved)
    put(place, "kept", "later")
    put(place, "lost")
    with Client(place.address) as client:
        informer = Informer(client)
        heard = follow(informer)
        with informer:
            informer.wait_for_sync(PATIENCE_S)
            catch_up(place, informer)
            before = informer.position
            place.stop()
            other = tmp_path / "restored.db"
            restore(f"sqlite:///{other}", saved)
            place.start(other)
            wait_until(lambda: informer.position != before)
            catch_up(place, informer)
            assert informer.position is not None
            assert before is not None
            assert informer.position.epoch != before.epoch
            assert [one.version for one in informer.list()] == [1]
            assert heard[-2:] == ["kept:2>1", "-lost"]
            assert not isinstance(informer.failure, OtherEpoch)


def test_a_process_that_starts_while_the_catalog_is_away_serves_what_it_has(
    place: Home, tmp_path: Path
) -> None:
    put(place, "a")
    folder = tmp_path / "cache"
    with Client(place.address) as client, Informer(client, folder=folder) as informer:
        informer.wait_for_sync(PATIENCE_S)
        expected = informer.get("a")
    place.stop()
    with Client(place.address) as client:
        informer = Informer(client, folder=folder)
        heard = follow(informer)
        with informer:
            assert informer.get("a") == expected
            assert informer.by_hash(expected.summary.content_hash) == expected.document
            assert 0 < informer.staleness_s() < PATIENCE_S
            assert informer.last_contact is not None
            assert not informer.synced
            wait_until(lambda: informer.failure is not None)
            place.start()
            put(place, "a", "x")
            informer.wait_for_sync(PATIENCE_S)
            catch_up(place, informer)
            assert heard == ["+a", "a:1>2"]


def test_a_damaged_cache_is_a_miss(place: Home, tmp_path: Path) -> None:
    put(place, "a")
    folder = tmp_path / "cache"
    with Client(place.address) as client:
        with Informer(client, folder=folder) as informer:
            informer.wait_for_sync(PATIENCE_S)
        for path in [one for one in folder.rglob("*") if one.is_file()]:
            path.write_bytes(path.read_bytes()[:-3] + b"???")
        with Informer(client, folder=folder) as informer:
            informer.wait_for_sync(PATIENCE_S)
            assert informer.get("a").json() == dag_document("a")


def test_with_documents_on_disk_only_the_missing_ones_are_sent(place: Home, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    for number in range(20):
        put(place, f"d{number:02}")
    with Counting(place.address) as client:
        with Informer(client, folder=folder) as informer:
            informer.wait_for_sync(PATIENCE_S)
        for path in (folder / "snapshots").iterdir():
            path.unlink()  # the documents only
        put(place, "d00", "new")
        client.fetched = 0
        with Informer(client, folder=folder) as informer:
            informer.wait_for_sync(PATIENCE_S)
            found = {one.dag_id: informer.get(one.dag_id).json() for one in informer.list()}
        assert found["d00"] == dag_document("d00", tags=["new"])
        assert found["d19"] == dag_document("d19")
        assert client.fetched in (1, 2)  # the fill, and perhaps a reader who was faster


class Counting(Client):
    """Counts the documents that are asked for."""

    fetched = 0

    def get_batch(self, selectors: Iterable[str | DagSelector], **how: Any) -> Iterator[BatchedDag]:
        asked = list(selectors)
        self.fetched += len(asked)
        return super().get_batch(asked, **how)


def test_a_folder_that_cannot_be_written_is_logged_and_changes_nothing(
    place: Home, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(place, "a")
    (tmp_path / "cache").write_text("a file, not a folder")
    with Client(place.address) as client, Informer(client, folder=tmp_path / "cache") as informer:
        informer.wait_for_sync(PATIENCE_S)
        assert informer.get("a").json() == dag_document("a")
    assert "disk_cache" in caplog.text
