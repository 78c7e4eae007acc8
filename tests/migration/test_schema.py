"""Migrations make exactly the tables of the code, and what is not known is refused."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from dagcatalog_server.store.postgres import open_postgres
from dagcatalog_server.store.postgres_engine import postgres_engine
from dagcatalog_server.store.schema import (
    SchemaMismatch,
    alembic_config,
    found_revision,
    migrate,
    needed_revision,
)
from dagcatalog_server.store.sql_tables import change, metadata
from dagcatalog_server.store.sqlite import open_sqlite
from dagcatalog_server.store.sqlite_engine import WRITE_OPTIONS, sqlite_engine


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalog.db'}"
    empty: str = request.getfixturevalue("empty_postgres_url")
    return empty


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """Give an engine on that database."""
    if url.startswith("sqlite"):
        made = sqlite_engine(Path(url.removeprefix("sqlite:///")))
        yield made.execution_options(**WRITE_OPTIONS)
    else:
        made = postgres_engine(url)
        yield made
    made.dispose()


def test_an_empty_database_gets_exactly_the_tables_of_the_code(url: str, engine: Engine) -> None:
    assert migrate(url) == needed_revision()
    with engine.begin() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        assert found_revision(connection) == needed_revision()


def test_indexes_cover_the_same_rows_in_the_code_and_in_the_database(
    url: str, engine: Engine
) -> None:
    """`compare_metadata` does not look at the conditions of partial indexes."""
    migrate(url)
    dialect = engine.dialect.name
    with engine.begin() as connection:
        found = {index["name"]: index for index in inspect(connection).get_indexes("change")}
    for index in change.indexes:
        options = index.dialect_options[dialect]
        made = found[index.name].get("dialect_options", {}).get(f"{dialect}_where")
        wanted, got = (_plain(where) for where in (options["where"], made))
        assert got == wanted, index.name
        assert bool(found[index.name]["unique"]) == bool(index.unique)


def test_downgrading_leaves_nothing_and_upgrading_works_again(url: str, engine: Engine) -> None:
    migrate(url)
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "base")
    with engine.begin() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
    assert migrate(url) == needed_revision()


def test_migrating_again_changes_nothing(url: str, engine: Engine) -> None:
    migrate(url)
    with engine.begin() as connection:
        epoch = connection.execute(text("SELECT epoch FROM clock")).scalar_one()
    assert migrate(url) == needed_revision()
    with engine.begin() as connection:
        assert connection.execute(text("SELECT epoch FROM clock")).scalar_one() == epoch


def test_two_migrations_at_once_wait_for_each_other(url: str, engine: Engine) -> None:
    start = threading.Barrier(2)

    def run(_: int) -> str:
        start.wait()
        return migrate(url)

    with ThreadPoolExecutor(2) as threads:
        assert set(threads.map(run, range(2))) == {needed_revision()}
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM clock")).scalar_one() == 1


def test_each_database_has_an_epoch_of_its_own(tmp_path: Path) -> None:
    epochs = set()
    for name in ("one.db", "two.db"):
        store = open_sqlite(tmp_path / name)
        with store.read() as snapshot:
            epochs.add(snapshot.clock().epoch)
        store.close()
    assert len(epochs) == 2


def test_a_newer_schema_is_refused(url: str, engine: Engine) -> None:
    migrate(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for open_it in (migrate, _open):
        with pytest.raises(SchemaMismatch) as caught:
            open_it(url)
        assert (caught.value.found, caught.value.needed) == ("9999", needed_revision())
        assert not caught.value.known
        assert "run a newer dagcatalog" in str(caught.value)


def test_postgresql_is_not_migrated_by_opening_it(empty_postgres_url: str) -> None:
    with pytest.raises(SchemaMismatch) as caught:
        open_postgres(empty_postgres_url)
    assert caught.value.found == ""
    assert caught.value.known
    assert "run `dagcatalog migrate`" in str(caught.value)


def test_sqlite_migrates_itself(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "catalog.db")
    assert store.schema_revision == needed_revision()
    store.close()


def _open(url: str) -> object:
    if url.startswith("sqlite"):
        return open_sqlite(Path(url.removeprefix("sqlite:///")))
    return open_postgres(url)


def _plain(where: object) -> str:
    written = "" if where is None else str(where)
    for noise in ("change.", "(", ")", "'", "::bigint"):
        written = written.replace(noise, "")
    return written


def test_blobs_of_the_first_schema_are_whole_in_the_next(url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0001")
        raw = "decode('6869', 'hex')" if engine.dialect.name == "postgresql" else "x'6869'"
        connection.execute(
            text(
                "INSERT INTO blob (hash, kind, codec, raw_bytes, stored_bytes, data)"
                f" VALUES ({raw}, 1, 0, 2, 2, {raw})"
            )
        )
    migrate(url)
    with engine.begin() as connection:
        found = connection.execute(text("SELECT raw_bytes, base_hash, kept_at FROM blob")).all()
    assert [tuple(row) for row in found] == [(2, None, None)]


def test_differences_are_not_thrown_away_by_a_downgrade(url: str, engine: Engine) -> None:
    migrate(url)
    raw = "decode('6869', 'hex')" if engine.dialect.name == "postgresql" else "x'6869'"
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO blob (hash, kind, codec, raw_bytes, stored_bytes, data, base_hash)"
                f" VALUES ({raw}, 1, 2, 2, 2, {raw}, {raw})"
            )
        )
    with (
        pytest.raises(RuntimeError, match="1 blobs are kept as differences"),
        engine.begin() as one,
    ):
        command.downgrade(alembic_config(one), "0001")
