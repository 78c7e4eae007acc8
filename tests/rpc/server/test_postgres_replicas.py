"""Several servers on one PostgreSQL: each tells the others what it commits, or they find it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import psycopg2
import pytest
from sqlalchemy import make_url

from dagcatalog.v1 import catalog_service_pb2 as pb
from tests.support.pooler import PROGRAM, running_pooler
from tests.support.postgres import Postgres
from tests.support.waiting import PATIENCE_S
from tests.support.wire import (
    Api,
    WatchCall,
    connected,
    next_changes,
    put,
    read_state,
    serving,
    watching,
)

SLOW_POLL_S = 3600.0
WRITES = 20


@asynccontextmanager
async def replicas(**settings: object) -> AsyncIterator[tuple[Api, Api]]:
    """Run two servers on one database."""
    async with AsyncExitStack() as stack:
        apis = [
            await stack.enter_async_context(
                connected(await stack.enter_async_context(serving(**settings)))
            )
            for _ in range(2)
        ]
        yield apis[0], apis[1]


async def deliver(writer: Api, watch: WatchCall, prefix: str) -> None:
    """Write some DAGs one after the other; each is delivered, once, before the next is written."""
    for number in range(WRITES):
        answer = await writer.Put(put("", f"{prefix}{number}"))
        async with asyncio.timeout(PATIENCE_S):
            (event,) = await next_changes(watch)
        assert event.position == answer.position


@asynccontextmanager
async def following(api: Api) -> AsyncIterator[WatchCall]:
    async with watching(api, pb.WatchRequest(initial_state=True)) as watch:
        await read_state(watch)
        yield watch


@pytest.fixture
def direct_url(postgres: Postgres, postgres_url: str) -> str:
    """The test's database, with no pooler before it."""
    return postgres.url(make_url(postgres_url).database or "")


async def test_a_commit_is_told_to_the_other_replicas_at_once(direct_url: str) -> None:
    async with (
        replicas(database_url=direct_url, watch_poll_interval=SLOW_POLL_S) as (left, right),
        following(left) as of_left,
        following(right) as of_right,
    ):
        await deliver(left, of_right, "a")
        await next_changes(of_left, WRITES)
        await deliver(right, of_left, "b")


async def test_without_the_doorbell_a_poll_finds_everything(postgres_url: str) -> None:
    settings = {"database_url": postgres_url, "notify": False, "watch_poll_interval": 0.02}
    async with replicas(**settings) as (left, right), following(right) as watch:
        await deliver(left, watch, "a")


async def test_a_doorbell_that_does_not_work_harms_no_write(postgres_url: str) -> None:
    settings = {
        "database_url": postgres_url,
        "listen_database_url": "postgresql://postgres@127.0.0.1:1/absent",
        "watch_poll_interval": 0.02,
    }
    async with replicas(**settings) as (left, right), following(right) as watch:
        await deliver(left, watch, "a")


async def test_a_doorbell_that_was_cut_rings_again(postgres: Postgres, direct_url: str) -> None:
    settings = {"database_url": direct_url, "watch_poll_interval": SLOW_POLL_S}
    async with replicas(**settings) as (left, right), following(right) as watch:
        await deliver(left, watch, "a")
        _end_listeners(postgres, direct_url)
        await deliver(left, watch, "b")  # what is missed meanwhile is looked for on return


def _end_listeners(postgres: Postgres, url: str) -> None:
    name = make_url(url).database
    listeners = f"datname = '{name}' AND (query LIKE 'LISTEN%' OR query LIKE 'NOTIFY%')"
    connection = psycopg2.connect(postgres.url("postgres"))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {listeners}"
        )
        assert cursor.fetchall() == [(True,), (True,)]
    connection.close()


@pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed")
@pytest.mark.parametrize("notify", [True, False])
async def test_replicas_behind_a_transaction_pooler(
    postgres: Postgres, direct_url: str, notify: bool
) -> None:
    with running_pooler(postgres) as pooler:
        settings = {
            "database_url": pooler.url(make_url(direct_url).database or ""),
            "listen_database_url": direct_url,
            "notify": notify,
            "watch_poll_interval": SLOW_POLL_S if notify else 0.02,
        }
        async with replicas(**settings) as (left, right), following(right) as watch:
            await deliver(left, watch, "a")
            answers = await asyncio.gather(
                *(api.Put(put("", f"b{number}")) for number in range(50) for api in (left, right))
            )
            events = await next_changes(watch, 50)
            positions = {answer.position.revision for answer in answers}
            assert [one.position.revision for one in events] == sorted(positions)
