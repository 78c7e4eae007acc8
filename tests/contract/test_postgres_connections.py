"""How the PostgreSQL store uses its connections: limits, poolers, servers that go, hang or change."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from typing import Any

import psycopg2
import pytest
from sqlalchemy import make_url

from dagcatalog_server.catalog.ports import Store, StoreUnavailable
from dagcatalog_server.store.postgres import open_postgres
from dagcatalog_server.store.postgres_engine import DatabaseUnfit, require_fit
from dagcatalog_server.store.postgres_reach import Reach, connect_arguments
from dagcatalog_server.store.schema import migrate
from tests.support.pooler import PROGRAM, Pooler, running_pooler
from tests.support.postgres import Postgres, running_postgres
from tests.support.stored import blob, commit, key, state
from tests.support.waiting import PATIENCE_S, wait_until

needs_pgbouncer = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed")


@pytest.fixture(scope="module")
def pooler(postgres: Postgres) -> Iterator[Pooler]:
    """One session for all: what a client leaves behind, the next one meets."""
    with running_pooler(postgres, sessions=1) as running:
        yield running


@contextmanager
def opened(url: str, **settings: Any) -> Iterator[Store]:
    with closing(open_postgres(url, **settings)) as store:
        yield store


def ask(connection: Any, question: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchone()[0]


@needs_pgbouncer
def test_behind_a_transaction_pooler_limits_hold_and_stay_with_their_transaction(
    postgres_url: str, pooler: Pooler
) -> None:
    database = make_url(postgres_url).database or ""
    with opened(pooler.url(database), statement_timeout_s=7, lock_timeout_s=0.05) as store:
        assert commit(store, state(key("a"))) == 1
        with store.read() as snapshot:
            connection = snapshot._connection  # type: ignore[attr-defined]  # how it was set up
            assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "7s"
        store.clock()
        with closing(psycopg2.connect(pooler.url(database))) as other:
            assert ask(other, "SHOW statement_timeout") == "0"
        with closing(psycopg2.connect(postgres_url)) as holder:
            ask(holder, "SELECT revision FROM clock FOR UPDATE")
            with pytest.raises(StoreUnavailable):
                commit(store, state(key("b")))
        assert commit(store, state(key("b"))) == 2


@needs_pgbouncer
def test_behind_a_transaction_pooler_writers_share_sessions(
    postgres_url: str, pooler: Pooler
) -> None:
    url = pooler.url(make_url(postgres_url).database or "")
    with opened(url) as left, opened(url) as right, ThreadPoolExecutor(4) as threads:

        def write(number: int) -> None:
            store = right if number % 2 else left
            store.put_blobs([blob(f"document {number}")])
            commit(store, state(key(f"dag_{number}")))
            assert store.clock().revision > 0

        list(threads.map(write, range(40)))
        with left.read() as snapshot:
            assert snapshot.clock().revision == 40
            assert snapshot.counts().blobs == 40


def test_a_transaction_begins_in_the_round_trip_of_its_first_statement(postgres_url: str) -> None:
    asking = "SELECT current_query()"
    with opened(postgres_url) as store, store.read() as snapshot:
        connection = snapshot._connection  # type: ignore[attr-defined]  # what it sends
        first = connection.exec_driver_sql(asking).scalar()
        second = connection.exec_driver_sql(asking).scalar()
    assert first.startswith("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;SET LOCAL ")
    assert first.endswith(";" + asking)
    assert second == asking


def test_a_writer_that_pauses_gives_way_to_the_others(postgres_url: str) -> None:
    with opened(postgres_url, idle_in_transaction_timeout_s=0.2) as pausing:
        with opened(postgres_url) as other, pytest.raises(StoreUnavailable):
            _pause_in_a_write(pausing, lambda: commit(other, state(key("a"))))
        assert commit(pausing, state(key("b"))) == 2


def _pause_in_a_write(store: Store, meanwhile: Callable[[], int]) -> None:
    with store.write() as transaction:
        transaction.tick(1)
        assert meanwhile() == 1  # waits until this one is ended


def test_a_session_that_was_ended_meanwhile_is_replaced_before_it_is_used(
    postgres: Postgres, postgres_url: str
) -> None:
    with opened(postgres_url) as store:
        commit(store, state(key("a")))
        name = make_url(postgres_url).database
        postgres.execute(
            f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        assert commit(store, state(key("b"))) == 2


def test_a_primary_that_became_a_standby_is_left() -> None:
    with running_postgres() as cluster:
        migrate(cluster.url("postgres"))
        with opened(cluster.url("postgres")) as store:
            commit(store, state(key("a")))
            with only_reads(cluster):
                for _ in range(2):
                    with pytest.raises(StoreUnavailable):
                        commit(store, state(key("b")))
            assert commit_once_back(store) == 2


def commit_once_back(store: Store) -> int:
    """Commit as soon as the store can; a moment after a failed attempt it does not even try."""
    made: list[int] = []

    def is_back() -> bool:
        with suppress(StoreUnavailable):
            made.append(commit(store, state(key("b"))))
        return bool(made)

    wait_until(is_back)
    return made[0]


@contextmanager
def only_reads(cluster: Postgres) -> Iterator[None]:
    reload(cluster, "ALTER SYSTEM SET default_transaction_read_only = on")
    try:
        yield
    finally:
        reload(cluster, "ALTER SYSTEM RESET default_transaction_read_only")


def reload(cluster: Postgres, change: str) -> None:
    """Change a setting; returns when sessions have it."""
    with closing(psycopg2.connect(cluster.url("postgres"))) as connection:
        connection.autocommit = True
        loaded = "SELECT pg_conf_load_time()"
        before = ask(connection, loaded)
        with connection.cursor() as cursor:
            cursor.execute(change)
        ask(connection, "SELECT pg_reload_conf()")
        wait_until(lambda: ask(connection, loaded) != before)


@pytest.fixture
def lonely(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """A migrated primary that waits for a synchronous standby which never comes."""
    with running_postgres() as cluster:
        migrate(cluster.url("postgres"))
        reload(cluster, "ALTER SYSTEM SET synchronous_standby_names = 'absent'")
        reload(cluster, "ALTER SYSTEM SET synchronous_commit = on")
        yield cluster


WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.mark.parametrize("stop", ["pg_cancel_backend", "pg_terminate_backend"])
def test_a_commit_that_stops_waiting_for_its_standby_is_not_acknowledged(
    lonely: Postgres, stop: str
) -> None:
    url = lonely.url("postgres")
    with opened(url) as store, closing(psycopg2.connect(url)) as admin, ThreadPoolExecutor() as one:
        admin.autocommit = True
        writing = one.submit(commit, store, state(key("a")))
        wait_until(lambda: bool(ask(admin, WAITING) == 1))
        assert store.clock().revision == 0
        ask(admin, WAITING.replace("count(*)", f"{stop}(pid)"))
        with pytest.raises(StoreUnavailable):
            writing.result()
        assert store.clock().revision == 1  # here, and perhaps nowhere else


def test_a_commit_does_not_wait_for_its_standby_without_end(lonely: Postgres) -> None:
    url = lonely.url("postgres")
    with opened(url, lock_timeout_s=0.2) as store:
        with pytest.raises(StoreUnavailable):
            commit(store, state(key("a")))
        assert store.clock().revision == 0  # not cancelled: nobody may see what may be lost
        reload(lonely, "ALTER SYSTEM RESET synchronous_standby_names")
        wait_until(lambda: store.clock().revision == 1)


def test_a_server_that_hangs_is_given_up() -> None:
    with running_postgres() as cluster:
        migrate(cluster.url("postgres"))
        with opened(cluster.url("postgres"), statement_timeout_s=0.2, connect_timeout_s=2) as store:
            commit(store, state(key("a")))
            with cluster.paused():
                began = time.monotonic()
                for _ in range(2):  # a statement that is not answered, then a connection
                    with pytest.raises(StoreUnavailable):
                        commit(store, state(key("b")))
                assert time.monotonic() - began < 10
            assert commit_once_back(store) == 2


def refused() -> None:
    raise psycopg2.OperationalError("refused")


def test_a_database_that_was_away_a_moment_ago_is_not_asked_again() -> None:
    reach = Reach(pause_s=0.2)
    with pytest.raises(psycopg2.OperationalError, match="refused"):
        reach.connect(refused)
    began, answers = time.monotonic(), set[str]()
    while "refused" not in answers:
        with pytest.raises(psycopg2.OperationalError) as caught:
            reach.connect(refused)
        answers.add(str(caught.value))
    assert 0.1 < time.monotonic() - began < PATIENCE_S
    assert "the database was away a moment ago" in answers


def test_while_one_call_asks_a_database_that_is_away_the_others_fail_at_once() -> None:
    reach, asked, go_on = Reach(pause_s=0), threading.Event(), threading.Event()

    def unanswered() -> None:
        asked.set()
        go_on.wait(PATIENCE_S)
        refused()

    with ThreadPoolExecutor() as one:
        with pytest.raises(psycopg2.OperationalError, match="refused"):
            reach.connect(refused)
        asking = one.submit(reach.connect, unanswered)
        asked.wait(PATIENCE_S)
        for _ in range(100):
            with pytest.raises(psycopg2.OperationalError, match="away"):
                reach.connect(refused)
        go_on.set()
        assert isinstance(asking.exception(PATIENCE_S), psycopg2.OperationalError)
    assert reach.connect(lambda: "a connection") == "a connection"


def test_what_a_url_says_comes_before_what_is_set_here() -> None:
    url = make_url("postgresql://db/x?connect_timeout=9&target_session_attrs=any")
    arguments = connect_arguments(url, connect_timeout_s=3)
    assert not {"connect_timeout", "target_session_attrs"} & arguments.keys()
    assert arguments["tcp_user_timeout"] == 4_000


def test_a_database_that_is_not_utf_8_is_refused(postgres: Postgres) -> None:
    postgres.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    for open_it in (open_postgres, migrate):
        with pytest.raises(DatabaseUnfit, match="encoded in LATIN1"):
            open_it(postgres.url("latin"))
    postgres.execute("DROP DATABASE latin")


def test_an_old_postgresql_is_refused() -> None:
    with pytest.raises(DatabaseUnfit, match=r"PostgreSQL is 13\.22; dagcatalog needs 14"):
        require_fit(13_00_22, "UTF8")
    require_fit(14_00_00, "UTF8")
