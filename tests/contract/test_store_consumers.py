"""Consumers: who is there, what each has applied, who counts no longer."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from dagcatalog_server.catalog.consuming import (
    NOTHING,
    ConsumerLimits,
    ConsumerReport,
    Recorded,
    record_consumers,
)
from dagcatalog_server.catalog.model import Consumer, ConsumerKey, Position
from dagcatalog_server.catalog.ports import Store
from tests.support.stored import commit, key, state

LIMITS = ConsumerLimits(timedelta(seconds=30), max_consumers=3)
WEB, SCHEDULER = ConsumerKey("default", "web"), ConsumerKey("default", "scheduler")
EVERYWHERE = ConsumerKey("-", "audit")


def report(store: Store, limits: ConsumerLimits = LIMITS, **facts: Any) -> Recorded:
    return record_consumers(store, ConsumerReport(**facts), limits)


def join(store: Store, *keys: ConsumerKey, start: Position = NOTHING) -> Recorded:
    return report(store, joined=dict.fromkeys(keys, start))


def held(store: Store, *namespaces: str) -> dict[ConsumerKey, int]:
    with store.read() as snapshot:
        rows = snapshot.consumers(namespaces or None, heard_within=LIMITS.silence)
    assert [row.key for row in rows] == sorted(row.key for row in rows)
    return {row.key: row.acknowledged.revision for row in rows}


def at(store: Store, revision: int) -> Position:
    return Position(store.clock().epoch, revision)


def age(store: Store, *keys: ConsumerKey, by: timedelta) -> None:
    """Let time pass for some consumers."""
    with store.write() as transaction:
        now = transaction.lock_consumers()
        rows = transaction.consumers_named({one.consumer_id for one in keys})
        old = [Consumer(one, rows[one].acknowledged, now - by) for one in keys]
        transaction.put_consumers(old)


def test_a_consumer_that_joined_is_there_and_has_applied_nothing(store: Store) -> None:
    assert join(store, WEB) == Recorded()
    assert held(store) == {WEB: 0}


def test_an_acknowledgement_only_ever_says_more(store: Store) -> None:
    join(store, WEB, SCHEDULER)
    for revision in (3, 7, 5):
        report(store, acknowledged={WEB: at(store, revision)})
    assert held(store) == {WEB: 7, SCHEDULER: 0}


def test_who_is_not_registered_acknowledges_nothing(store: Store) -> None:
    join(store, WEB)
    stranger, elsewhere = ConsumerKey("default", "stranger"), ConsumerKey("other", "web")
    recorded = report(store, acknowledged=dict.fromkeys((stranger, elsewhere), at(store, 1)))
    assert recorded.unknown == {stranger, elsewhere}
    assert held(store) == {WEB: 0}


def test_an_acknowledgement_of_another_history_says_nothing(store: Store) -> None:
    join(store, WEB)
    assert report(store, acknowledged={WEB: Position("another", 9)}) == Recorded()
    assert held(store) == {WEB: 0}


def test_the_first_acknowledgement_of_a_new_history_counts(store: Store) -> None:
    with store.write() as transaction:
        now = transaction.lock_consumers()
        transaction.put_consumers([Consumer(WEB, Position("before", 900), now)])
    report(store, acknowledged={WEB: at(store, 2)})
    assert held(store) == {WEB: 2}


@pytest.mark.parametrize(("start", "left"), [(4, 4), (7, 7), (9, 7), (0, 0)])
def test_who_begins_again_has_what_it_had_up_to_where_it_begins(
    store: Store, start: int, left: int
) -> None:
    join(store, WEB)
    report(store, acknowledged={WEB: at(store, 7)})
    join(store, WEB, start=at(store, start))
    assert held(store) == {WEB: left}


def test_who_begins_with_the_present_has_nothing_yet(store: Store) -> None:
    join(store, WEB)
    report(store, acknowledged={WEB: at(store, 7)})
    join(store, WEB, start=NOTHING)
    assert held(store) == {WEB: 0}


def test_an_open_watch_keeps_its_consumer_and_what_it_acknowledged(store: Store) -> None:
    join(store, WEB)
    report(store, acknowledged={WEB: at(store, 7)})
    age(store, WEB, by=timedelta(seconds=29))
    report(store, watching={WEB})
    age_of_web = _age(store, WEB)
    assert age_of_web < timedelta(seconds=10)
    assert held(store) == {WEB: 7}


def test_who_is_silent_for_too_long_counts_no_more_but_comes_back_as_it_was(store: Store) -> None:
    join(store, WEB, SCHEDULER)
    report(store, acknowledged={WEB: at(store, 7)})
    age(store, WEB, by=timedelta(seconds=31))
    assert held(store) == {SCHEDULER: 0}
    report(store, watching={WEB})  # its replica was paused
    assert held(store) == {WEB: 7, SCHEDULER: 0}


def test_who_is_silent_for_very_long_is_dropped(store: Store) -> None:
    join(store, WEB, SCHEDULER)
    age(store, WEB, by=timedelta(seconds=301))
    report(store, watching={SCHEDULER})
    with store.read() as snapshot:
        assert set(snapshot.consumers_named({"web", "scheduler"})) == {SCHEDULER}


def test_who_leaves_is_gone_at_once(store: Store) -> None:
    join(store, WEB, SCHEDULER)
    report(store, left={WEB})
    assert held(store) == {SCHEDULER: 0}


def test_who_watches_every_namespace_means_every_namespace(store: Store) -> None:
    both = [ConsumerKey("a", "web"), ConsumerKey("b", "web")]
    join(store, EVERYWHERE, *both)
    report(store, acknowledged={ConsumerKey("a", "audit"): at(store, 3)})
    assert held(store) == {EVERYWHERE: 3, both[0]: 0, both[1]: 0}
    report(store, acknowledged={ConsumerKey("-", "web"): at(store, 5)})
    assert held(store) == {EVERYWHERE: 3, both[0]: 5, both[1]: 5}
    assert held(store, "a", "-") == {EVERYWHERE: 3, both[0]: 5}
    report(store, left={ConsumerKey("-", "web")})
    assert held(store) == {EVERYWHERE: 3}


def test_a_namespace_has_room_for_so_many(store: Store) -> None:
    keys = [ConsumerKey("default", f"web-{number}") for number in range(5)]
    assert join(store, *keys).full == set(keys[3:])
    assert set(held(store)) == set(keys[:3])
    assert join(store, keys[0]) == Recorded()  # it has its place already
    assert join(store, ConsumerKey("other", "web")) == Recorded()
    age(store, keys[1], by=timedelta(seconds=31))
    assert join(store, keys[4]) == Recorded()
    assert report(store, watching={keys[1]}).full == {keys[1]}  # its place was taken


def test_many_are_told_of_at_once(store: Store) -> None:
    wide = ConsumerLimits(max_consumers=2_000)
    keys = [ConsumerKey("default", f"web-{number:04}") for number in range(1_200)]
    report(store, wide, joined=dict.fromkeys(keys, NOTHING))
    report(store, wide, acknowledged=dict.fromkeys(keys, at(store, 1)))
    assert held(store) == dict.fromkeys(keys, 1)
    report(store, wide, left=set(keys[1:]))
    assert held(store) == {keys[0]: 1}


def test_replicas_report_at_once_and_nothing_is_lost(
    store: Store, open_store: Callable[[], Store]
) -> None:
    stores = [store, open_store(), open_store()]
    keys = [ConsumerKey("default", name) for name in ("a", "b", "c")]
    join(store, *keys)

    def tell(number: int) -> None:
        said = {one: at(store, number) for one in keys}
        report(stores[number % 3], acknowledged=said, watching=set(keys))

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(tell, range(1, 61)))
    assert held(store) == dict.fromkeys(keys, 60)


def test_writers_of_dags_never_wait_for_a_report(
    store: Store, open_store: Callable[[], Store]
) -> None:
    if store.name != "postgresql":
        pytest.skip("who writes is alone in this store")
    with store.write() as transaction:
        transaction.lock_consumers()
        assert commit(open_store(), state(key("a"))) == 1


def _age(store: Store, of: ConsumerKey) -> timedelta:
    with store.write() as transaction:
        now = transaction.lock_consumers()
        return now - transaction.consumers_named({of.consumer_id})[of].heard_at
