"""Informers through what happens in a year: a catalog away, cut off, restarted, and all of it at random."""

import asyncio
import gc
import os
import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psutil
import pytest

from dagcatalog_client import AsyncClient, AsyncInformer, Client, Informer, PutItem
from tests.faults.seeds import take_seed
from tests.support.dags import dag_document
from tests.support.home import Home, home
from tests.support.waiting import wait_until

AWAY_S = 60.0
CONVERGED_S = 5.0
CROWD = 500
PATIENCE_S = 60.0
SOAK_MINUTES = float(os.environ.get("DAGCATALOG_TEST_SOAK_MINUTES", "2"))
WARM_UP_SHARE = 0.25
GROWTH = 1.10

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300 + 90 * SOAK_MINUTES)]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Home]:
    with home(tmp_path) as one:
        one.start()
        yield one


class Reading:
    """Reads everything all the time, and counts what failed."""

    def __init__(self, informer: Informer) -> None:
        self._informer = informer
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.reads = 0
        self.failed: list[str] = []

    def __enter__(self) -> "Reading":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(0.001):
            for summary in self._informer.list():
                try:
                    assert self._informer.get(summary.dag_id).document
                except Exception as error:  # noqa: BLE001 - whatever it is, a read failed
                    self.failed.append(repr(error))
                self.reads += 1


@pytest.mark.parametrize("how", ["stopped", "cut silently"])
def test_a_minute_without_the_catalog_fails_no_read_and_loses_no_change(
    place: Home, how: str
) -> None:
    with place.direct() as direct:
        direct.put_batch([PutItem(f"d{n}", dag_document(f"d{n}")) for n in range(50)])
    heard: Counter[tuple[str, int]] = Counter()
    with Client(place.address) as client:
        informer = Informer(client)
        informer.add_handler(updated=lambda _, new: heard.update([(new.dag_id, new.version)]))
        with informer:
            informer.wait_for_sync(PATIENCE_S)
            with Reading(informer) as reading:
                began = time.monotonic()
                if how == "stopped":
                    place.stop()
                else:
                    place.tell(lambda proxy: proxy.stall())
                time.sleep(AWAY_S - 1)
                stale_s = informer.staleness_s()
                if how == "stopped":
                    place.start()
                    place.cut_off()  # until the changes are made
                with place.direct() as direct:
                    for n in range(20):
                        direct.put(f"d{n}", dag_document(f"d{n}", tags=["x"]))
                    position = direct.status().position
                time.sleep(max(0.0, began + AWAY_S - time.monotonic()))
                place.mend()
                back = time.monotonic()
                informer.wait_for(position, PATIENCE_S)
                converged_s = time.monotonic() - back
            wait_until(lambda: len(heard) == 20)
    print(f"{how}: {reading.reads} reads, converged in {converged_s:.1f} s, {stale_s:.0f} s stale")
    assert reading.failed == []
    assert reading.reads > 1_000
    assert AWAY_S - 12 < stale_s < AWAY_S + 5
    assert heard == Counter({(f"d{n}", 2): 1 for n in range(20)})
    assert converged_s < CONVERGED_S


async def test_five_hundred_informers_come_back_at_once(place: Home) -> None:
    """All are synced again, none is refused, and jitter has spread them."""
    options = {"grpc.use_local_subchannel_pool": 1}
    clients = [AsyncClient(place.address, channel_options=options) for _ in range(CROWD)]
    informers = [AsyncInformer(client) for client in clients]
    await clients[0].put_batch([PutItem(f"d{n}", dag_document(f"d{n}")) for n in range(100)])
    for informer in informers:
        await informer.start()
    for informer in informers:
        await informer.wait_for_sync(PATIENCE_S)
    await asyncio.to_thread(place.kill)
    await _until(lambda: all(one.failure is not None for one in informers))
    await asyncio.to_thread(place.start)
    began = time.monotonic()
    with place.direct() as direct:
        position = await asyncio.to_thread(
            lambda: direct.put("d0", dag_document("d0", tags=["x"])).position
        )
        back: list[float] = []

        async def come_back(informer: AsyncInformer) -> None:
            await informer.wait_for(position, PATIENCE_S)
            back.append(time.monotonic() - began)

        await asyncio.gather(*map(come_back, informers))
    back.sort()
    print(
        f"{CROWD} back: first {back[0]:.2f} s, half {back[CROWD // 2]:.2f} s, last {back[-1]:.2f} s"
    )
    assert all(one.failure is None for one in informers)
    assert [one.summary("d0").tags for one in informers] == [("x",)] * CROWD
    for informer in informers:
        await informer.close()
    for client in clients:
        await client.close()


async def _until(condition: "object") -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # type: ignore[operator]  # noqa: ASYNC110 - many are looked at
            await asyncio.sleep(0.05)


@pytest.mark.timeout(300 + 90 * SOAK_MINUTES)
def test_a_soak_of_kills_and_cuts_leaves_every_informer_with_the_truth(
    place: Home, tmp_path: Path
) -> None:
    """DAGCATALOG_TEST_SOAK_MINUTES=24 is the whole of it."""
    source = random.Random(take_seed())
    with ExitStack() as stack:
        informers = []
        for number in range(4):
            client = stack.enter_context(
                Client(place.address, channel_options={"grpc.use_local_subchannel_pool": 1})
            )
            folder = tmp_path / "cache" if number % 2 else None
            informer = Informer(client, folder=folder, memory_bytes=200_000)
            informers.append((informer, _followed(informer)))
            stack.enter_context(informer)
        memory: list[int] = []
        served: list[int] = []
        rounds = 0
        end = time.monotonic() + 60 * SOAK_MINUTES
        while time.monotonic() < end:
            rounds += 1
            _trouble(place, source)
            _check_quiet(place, informers)
            gc.collect()
            memory.append(psutil.Process().memory_info().rss)
            served.append(_resident(place))
    warm = memory[int(len(memory) * WARM_UP_SHARE)]
    early, late = max(served[: rounds // 2]), max(served[rounds // 2 :])
    print(f"{rounds} rounds, memory {warm / 2**20:.1f} to {memory[-1] / 2**20:.1f} MiB")
    print(f"the server's at most {early / 2**20:.1f}, later {late / 2**20:.1f} MiB")
    assert rounds > SOAK_MINUTES
    assert memory[-1] < warm * GROWTH
    assert late < early * GROWTH


def _followed(informer: Informer) -> dict[str, int]:
    """Add up what handlers hear; what they are told must fit what they were told before."""
    known: dict[str, int] = {}

    def updated(old: str, before: int, after: int) -> None:
        assert known[old] == before
        known[old] = after

    informer.add_handler(
        added=lambda new: known.__setitem__(new.dag_id, new.revision),
        updated=lambda old, new: updated(old.dag_id, old.revision, new.revision),
        deleted=lambda old: known.__delitem__(old.dag_id),
    )
    return known


def _trouble(place: Home, source: random.Random) -> None:
    """Write, and let something happen meanwhile."""
    _write(place, source, 20)
    match source.choice(["kill", "drain", "cut", "stall", "slow disk", "compact", "nothing"]):
        case "kill":
            place.kill()
            time.sleep(source.uniform(0, 2))
            place.start()
        case "drain":
            place.stop()
            time.sleep(source.uniform(0, 2))
            place.start()
        case "cut":
            place.cut_off()
            _write(place, source, 20)
            place.mend()
        case "stall":
            place.tell(lambda proxy: proxy.stall())
            _write(place, source, 20)
            time.sleep(source.uniform(0, 3))
            place.mend()
        case "slow disk":
            with _slow_disk(place, source.uniform(0.5, 2.5)):
                _write(place, source, 5)
        case "compact":
            place.cut_off()
            _write(place, source, 20)
            with place.direct() as direct:
                direct.prune(compact_revision=direct.status().position.revision)
            place.mend()
    _write(place, source, 20)


@contextmanager
def _slow_disk(place: Home, seconds: float) -> Iterator[None]:
    """Let writes wait as for a disk that hangs: somebody else holds the file's lock for so long."""
    with closing(
        sqlite3.connect(place.path, isolation_level=None, check_same_thread=False, timeout=10)
    ) as holder:
        holder.execute("BEGIN IMMEDIATE")
        release = threading.Timer(seconds, holder.rollback)
        release.start()
        try:
            yield
        finally:
            release.join()


def _resident(place: Home) -> int:
    assert place.server is not None
    resident: int = psutil.Process(place.server.pid).memory_info().rss
    return resident


def _write(place: Home, source: random.Random, count: int) -> None:
    with place.direct() as direct:
        for _ in range(count):
            name = f"d{source.randrange(40)}"
            if source.random() < 0.2:
                present = [one.dag_id for one in direct.list(page_size=1_000)]
                if present:
                    direct.delete(source.choice(present))
            else:
                tag = str(source.randrange(10**6))
                direct.put(name, dag_document(name, tags=[tag], padding=tag * 200))


def _check_quiet(place: Home, informers: list[tuple[Informer, dict[str, int]]]) -> None:
    """Compare every informer with the truth."""
    with place.direct() as direct:
        position = direct.status().position
        truth = {one.dag_id: one for one in direct.list(page_size=1_000)}
        documents = {one.selector.dag_id: one.unwrap().document for one in direct.get_batch(truth)}
    for informer, known in informers:
        informer.wait_for(position, PATIENCE_S)
        assert {one.dag_id: one for one in informer.list()} == truth
        assert {name: informer.get(name).document for name in truth} == documents
        revisions = {name: one.revision for name, one in truth.items()}
        wait_until(lambda known=known, revisions=revisions: known == revisions)  # type: ignore[misc]  # bound now
