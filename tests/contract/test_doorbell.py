"""The doorbell between replicas: late is allowed, wrong and in the way are not."""

import logging
import queue
import time
from collections.abc import Iterator

import pytest

from dagcatalog_server.store.postgres_doorbell import CHANNEL, RING_INTERVAL_S, PostgresDoorbell
from tests.support.pooler import PROGRAM, running_pooler
from tests.support.postgres import Postgres, running_postgres
from tests.support.waiting import wait_until

PATIENCE_S = 30.0


class Hearer:
    """Keeps what a doorbell told."""

    def __init__(self) -> None:
        self.heard: queue.Queue[int] = queue.Queue()

    def __call__(self, revision: int) -> None:
        self.heard.put(revision)

    def next(self) -> int:
        return self.heard.get(timeout=PATIENCE_S)

    def until(self, revision: int) -> list[int]:
        heard = [self.next()]
        while heard[-1] != revision:
            heard.append(self.next())
        return heard


@pytest.fixture
def pair(postgres_url: str) -> Iterator[tuple[PostgresDoorbell, Hearer, Hearer]]:
    """One that rings, what it hears itself, and what another replica hears."""
    ours, theirs = Hearer(), Hearer()
    with PostgresDoorbell(postgres_url, ours) as ringing, PostgresDoorbell(postgres_url, theirs):
        assert (ours.next(), theirs.next()) == (0, 0)  # both listen: look what was missed
        yield ringing, ours, theirs


def test_others_hear_a_revision_and_the_one_who_rang_does_not(
    pair: tuple[PostgresDoorbell, Hearer, Hearer],
) -> None:
    ringing, ours, theirs = pair
    for revision in (7, 8, 5):  # 5: a database that was restored
        ringing.ring(revision)
        assert theirs.next() == revision
    assert ours.heard.empty()


def test_rings_under_way_share_the_next_one(pair: tuple[PostgresDoorbell, Hearer, Hearer]) -> None:
    ringing, _, theirs = pair
    began = time.monotonic()
    for revision in range(1, 20_001):
        ringing.ring(revision)
    heard = theirs.until(20_000)
    assert len(heard) <= 2 + (time.monotonic() - began) / RING_INTERVAL_S
    assert heard == sorted(set(heard))


def test_a_foreign_word_on_the_channel_is_a_ring(
    pair: tuple[PostgresDoorbell, Hearer, Hearer], postgres: Postgres, postgres_url: str
) -> None:
    _, ours, theirs = pair
    postgres.execute(f"NOTIFY {CHANNEL}, 'hello'", postgres_url.rpartition("/")[2])
    assert (ours.next(), theirs.next()) == (0, 0)


def test_an_outage_is_told_once_and_what_was_missed_is_made_up_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    ours, theirs = Hearer(), Hearer()
    with running_postgres() as cluster:
        url = cluster.url("postgres")
        with PostgresDoorbell(url, ours) as ringing, PostgresDoorbell(url, theirs):
            assert (ours.next(), theirs.next()) == (0, 0)
            for outage in (1, 2):
                cluster.stop()
                wait_until(lambda: caplog.text.count("doorbell_away") == 2 * outage)  # noqa: B023
                ringing.ring(10 * outage)
                cluster.start()
                assert ours.next() == 0
                theirs.until(0)
                ringing.ring(10 * outage + 1)
                theirs.until(10 * outage + 1)
    told = [one.message.partition(" ")[0] for one in caplog.records if "doorbell" in one.message]
    assert sorted(told) == ["doorbell_away"] * 4 + ["doorbell_back"] * 4


def test_a_database_that_was_never_there_harms_nobody() -> None:
    with PostgresDoorbell("postgresql://postgres@127.0.0.1:1/absent", Hearer()) as bell:
        for revision in range(1, 100_000):
            bell.ring(revision)


@pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed")
def test_a_pooler_in_between_is_told(
    postgres: Postgres, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    hearer = Hearer()
    with running_pooler(postgres) as pooler:
        url = pooler.url(postgres_url.rpartition("/")[2])
        with PostgresDoorbell(url, hearer):
            assert hearer.next() == 0
    assert "listen_database_url" in caplog.text
