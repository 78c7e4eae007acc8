"""The ledger of the kill test notices whatever a catalog could lose, halve, repeat or change."""

from collections.abc import Callable

import pytest

from dagcatalog.v1 import catalog_service_pb2 as pb
from tests.faults.ledger import Answer, Content, Ledger, Write
from tests.faults.present import check_heads, read_log
from tests.faults.stream import send
from tests.support.wire import Api, connected, serving

Events = list[pb.WatchResponse]

WRITES = (
    Write("r1", "left", (Content("a1", "one"), Content("a2", "one"), Content("b1", "one"))),
    Write("r2", "left", (Content("a1", "two"), Content("a3", "one")), replace="a.py"),
    Write("r3", "left", delete="b1"),
    Write("r4", "left", (Content("b1", "one", "moved"),)),
    Write("r5", "left", (Content("b1", "one"),)),
    Write("r6", "left", (Content("b1", "one"),)),
)
REVISIONS = 5  # the last of them says what is there


async def _written(api: Api) -> list[Answer]:
    answers = [await send(api, write) for write in WRITES]
    return [one for one in answers if one is not None]


def _ledger(answers: list[Answer], writes: tuple[Write, ...] = WRITES) -> Ledger:
    ledger = Ledger()
    for write, answer in zip(writes, answers, strict=True):
        ledger.acknowledge(write, answer)
    return ledger


async def test_what_was_written_is_what_the_ledger_expects() -> None:
    async with serving() as address, connected(address) as api:
        ledger = _ledger(await _written(api))
        ledger.check(await read_log(api, 0))
        assert ledger.revision == REVISIONS
        await check_heads(api, ledger)
        ledger.heads["left", "a1"] = ledger.heads["left", "a3"]
        with pytest.raises(AssertionError):
            await check_heads(api, ledger)


def _lose_the_last(events: Events) -> None:
    events.pop()


def _lose_one_between(events: Events) -> None:
    del events[2]


def _repeat_one(events: Events) -> None:
    events.insert(3, events[2])


def _write_the_last_again(events: Events) -> None:
    again = pb.WatchResponse()
    again.CopyFrom(events[-1])
    again.position.revision += 1
    again.change_set.changes[0].revision += 1
    again.change_set.changes[0].dag.summary.revision += 1
    events.append(again)


def _halve_a_batch(events: Events) -> None:
    del events[0].change_set.changes[1:]


def _keep_what_replace_deletes(events: Events) -> None:
    del events[1].change_set.changes[-1]


def _lose_a_tombstone(events: Events) -> None:
    events[2].change_set.changes[0].dag.summary.delete_reason = ""
    events[2].change_set.changes[0].dag.summary.deleted = False


def _change_a_content(events: Events) -> None:
    events[3].change_set.changes[0].dag.summary.content_hash = "0" * 64


def _count_a_version_twice(events: Events) -> None:
    events[1].change_set.changes[0].dag.summary.version += 1


def _say_another_time(events: Events) -> None:
    events[4].change_set.changes[0].dag.summary.update_time.seconds += 1


@pytest.mark.parametrize(
    "damage",
    [
        _lose_the_last,
        _lose_one_between,
        _repeat_one,
        _write_the_last_again,
        _halve_a_batch,
        _keep_what_replace_deletes,
        _lose_a_tombstone,
        _change_a_content,
        _count_a_version_twice,
        _say_another_time,
    ],
)
async def test_damage_is_noticed(damage: Callable[[Events], None]) -> None:
    async with serving() as address, connected(address) as api:
        ledger = _ledger(await _written(api))
        events = await read_log(api, 0)
    damage(events)
    with pytest.raises(AssertionError):
        ledger.check(events)


async def test_a_write_that_was_done_twice_is_noticed() -> None:
    async with serving() as address, connected(address) as api:
        ledger = _ledger(await _written(api))
        twice = Write("r7", "left", WRITES[3].puts)
        await send(api, twice)  # nobody claims it
        events = await read_log(api, 0)
    with pytest.raises(AssertionError, match="nobody has written"):
        ledger.check(events)
