"""Backups: from every database into every database, whole or not at all."""

import threading
from pathlib import Path

import pytest

from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.consuming import NOTHING, ConsumerReport
from dagcatalog_server.catalog.model import ConsumerKey, ParseErrorKind
from dagcatalog_server.catalog.parsing import ParseFailure, ParseReport, ParseResult
from dagcatalog_server.catalog.ports import Store
from dagcatalog_server.catalog.pruning import PrunePolicy
from dagcatalog_server.store.backup import (
    BackupExists,
    DatabaseInUse,
    DatabaseNotEmpty,
    back_up,
    restore,
)
from dagcatalog_server.store.backup_file import MAGIC, BackupDamaged, check_backup
from dagcatalog_server.store.checking import check_database
from dagcatalog_server.store.postgres import open_postgres
from dagcatalog_server.store.schema import migrate
from dagcatalog_server.store.sqlite import open_sqlite
from tests.support.writes import commit, delete, log_of, put


def open_url(url: str) -> Store:
    if url.startswith("sqlite"):
        return open_sqlite(Path(url.removeprefix("sqlite:///")))
    return open_postgres(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the database that is backed up."""
    return _database(request, tmp_path / "from.db", "postgres_url")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the database that is restored into: it has not even a schema."""
    return _database(request, tmp_path / "to.db", "empty_postgres_url")


def _database(request: pytest.FixtureRequest, path: Path, fixture: str) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{path}"
    found: str = request.getfixturevalue(fixture)
    return found


def fill(url: str) -> tuple[object, ...]:
    """Put everything that there is into a database; give what it holds."""
    store = open_url(url)
    catalog = Catalog(store)
    text = " ".join(f"word{number * 7919 % 10_007}" for number in range(1_500))
    for number in range(12):
        padding = f"{text} {number}"
        commit(catalog, put("a", padding=padding, source=padding, tags=("é🌙", "x\x1f")))
    commit(catalog, put("b", namespace="other", labels={"team": "x"}, request_id="r", body="1"))
    commit(catalog, put("c"), delete("c"))
    failure = ParseFailure(ParseErrorKind.SYNTAX, "broken", "", 3)
    catalog.report_parse(
        ParseReport("default", "", "", (ParseResult("f.py", failure),), complete=False, actor="ann")
    )
    list(catalog.prune(PrunePolicy(keep_versions=9)))
    told = contents(url)
    store.close()
    return told


def contents(url: str) -> tuple[object, ...]:
    store = open_url(url)
    catalog = Catalog(store)
    log = log_of(catalog)
    blobs = catalog.blobs({each for change in log for each in change.pointers()})
    with catalog.snapshot() as snapshot:
        record = snapshot.requests("other", ["r"]).get("r")
        errors = snapshot.parse_errors(None, None, after=None, limit=10)
    clock = catalog.clock()
    standing = catalog.standing().counts
    store.close()
    facts = (standing.namespaces, standing.blobs, standing.raw_bytes)
    return (log, blobs, record, errors, clock.revision, clock.compacted_revision, *facts)


def test_a_backup_restores_all_of_it_anywhere_under_a_new_epoch(
    url: str, empty_url: str, tmp_path: Path
) -> None:
    held = fill(url)
    epoch, stored = _epoch(url), _stored_bytes(url)
    manifest, counts = back_up(url, tmp_path / "backup")
    assert check_backup(tmp_path / "backup") == manifest
    assert (manifest.epoch, manifest.revision) == (epoch, 15)
    assert counts["change"] == len(held[0])  # type: ignore[arg-type]
    assert restore(empty_url, tmp_path / "backup") == (manifest, counts)
    assert contents(empty_url) == held
    assert _epoch(empty_url) != epoch
    assert _stored_bytes(empty_url) < stored * 1.5  # differences are differences again
    assert list(check_database(empty_url)) == []
    store = open_url(empty_url)
    assert commit(Catalog(store), put("new"))[0].revision == 16
    store.close()


def test_nobody_has_acknowledged_anything_of_what_is_restored(url: str, tmp_path: Path) -> None:
    store = open_url(url)
    catalog = Catalog(store)
    commit(catalog, put("a"))
    web = ConsumerKey("default", "web")
    catalog.record_consumers(ConsumerReport(joined={web: NOTHING}))
    catalog.record_consumers(ConsumerReport(acknowledged={web: catalog.clock().position}))
    back_up(url, tmp_path / "backup")
    assert [one.acknowledged.revision for one in catalog.consumers(["default"])[1]] == [1]
    restore(url, tmp_path / "backup", force=True, while_in_use=True)
    assert catalog.consumers(["default"])[1] == []
    store.close()


def _epoch(url: str) -> str:
    store = open_url(url)
    epoch = Catalog(store).clock().epoch
    store.close()
    return epoch


def _stored_bytes(url: str) -> int:
    store = open_url(url)
    stored = Catalog(store).standing().counts.stored_bytes
    store.close()
    return stored


def test_a_backup_is_of_one_moment_while_writes_go_on(url: str, tmp_path: Path) -> None:
    ended = threading.Event()
    store = open_url(url)
    catalog = Catalog(store)
    commit(catalog, put("a"))

    def write_on() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            commit(catalog, put("a", tags=(str(number),)), put("b", tags=(str(number),)))

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        for number in range(5):
            back_up(url, tmp_path / f"{number}")
    finally:
        ended.set()
        writer.join()
        store.close()
    target = f"sqlite:///{tmp_path / 'to.db'}"
    for number in range(5):
        manifest, _ = restore(target, tmp_path / f"{number}", force=True)
        assert list(check_database(target)) == []
        assert _revision(target) == manifest.revision


def _revision(url: str) -> int:
    store = open_url(url)
    revision = Catalog(store).clock().revision
    store.close()
    return revision


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    fill(f"sqlite:///{tmp_path / 'from.db'}")
    back_up(f"sqlite:///{tmp_path / 'from.db'}", tmp_path / "backup")
    return tmp_path / "backup"


def test_a_file_cut_anywhere_is_refused_and_changes_nothing(backup: Path, empty_url: str) -> None:
    store = open_url(f"sqlite:///{backup.with_name('to.db')}")
    whole = backup.read_bytes()
    for size in {0, 5, len(MAGIC), len(MAGIC) + 9, *range(40, len(whole), len(whole) // 20), -1}:
        backup.write_bytes(whole[:size])
        with pytest.raises(BackupDamaged):
            restore(f"sqlite:///{backup.with_name('to.db')}", backup, while_in_use=True)
    assert Catalog(store).clock().revision == 0
    store.close()


def test_a_file_with_any_byte_changed_is_refused(backup: Path) -> None:
    whole = backup.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 100)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x20
        backup.write_bytes(damaged)
        with pytest.raises(BackupDamaged):
            check_backup(backup)
    backup.write_bytes(whole + b"x")
    with pytest.raises(BackupDamaged, match="follows"):
        check_backup(backup)


def test_a_database_that_holds_something_is_replaced_only_by_force(
    backup: Path, empty_url: str
) -> None:
    store = open_url(_migrated(empty_url))
    commit(Catalog(store), put("precious"))
    store.close()
    before = contents(empty_url)
    with pytest.raises(DatabaseNotEmpty):
        restore(empty_url, backup)
    assert contents(empty_url) == before
    restore(empty_url, backup, force=True)
    assert contents(empty_url) == contents(f"sqlite:///{backup.with_name('from.db')}")


def test_a_database_that_something_has_open_is_not_restored_into(
    backup: Path, empty_url: str
) -> None:
    store = open_url(_migrated(empty_url))
    Catalog(store).clock()
    with pytest.raises(DatabaseInUse):
        restore(empty_url, backup)
    restore(empty_url, backup, while_in_use=True)
    assert Catalog(store).clock().revision == 15
    store.close()


def _migrated(url: str) -> str:

    migrate(url)
    return url


def test_a_backup_is_not_written_over_another_unless_told(backup: Path) -> None:
    url = f"sqlite:///{backup.with_name('from.db')}"
    with pytest.raises(BackupExists):
        back_up(url, backup)
    back_up(url, backup, overwrite=True)
    assert not list(backup.parent.glob("*.partial"))


def test_a_database_that_is_not_there_is_not_backed_up(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        back_up(f"sqlite:///{tmp_path / 'no.db'}", tmp_path / "backup")
    assert list(tmp_path.iterdir()) == []
