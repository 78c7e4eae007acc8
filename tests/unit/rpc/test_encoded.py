"""Encoded bytes that are wanted again: bounded, encoded once however many ask."""

import asyncio
import gc
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagcatalog_server.rpc.encoded import EncodedCache

PATIENCE_S = 10.0


class Work:
    """Encodes when the test lets it."""

    def __init__(self, result: bytes = b"encoded") -> None:
        self.times = 0
        self.error: Exception | None = None
        self.may_end = asyncio.Event()
        self._result = result

    async def __call__(self) -> bytes:
        self.times += 1
        await self.may_end.wait()
        if self.error:
            raise self.error
        return self._result


async def started(cache: EncodedCache, work: Work, many: int = 1) -> list["asyncio.Task[bytes]"]:
    tasks = [asyncio.ensure_future(cache.get_or_encode("key", work)) for _ in range(many)]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


class TestBound:
    @settings(max_examples=100, deadline=None)
    @given(
        st.integers(0, 40),
        st.lists(st.tuples(st.integers(0, 9), st.integers(0, 50), st.booleans()), max_size=40),
    )
    def test_it_holds_whatever_is_put(
        self, max_bytes: int, puts: list[tuple[int, int, bool]]
    ) -> None:
        cache = EncodedCache(max_bytes)
        for name, size, evict in puts:
            key = (name, size)  # a key means the same bytes for ever
            cache.put(key, bytes(size), evict=evict)
            assert cache.bytes_kept <= max_bytes
            if evict:
                assert (cache.get(key) is not None) == (size <= max_bytes)
        kept = [
            size for name, size in {one[:2] for one in puts} if cache.get((name, size)) is not None
        ]
        assert cache.bytes_kept == sum(kept)

    def test_what_was_asked_for_longest_ago_goes_first(self) -> None:
        cache = EncodedCache(3)
        for key in "abc":
            cache.put(key, b".")
        cache.get("a")
        cache.put("d", b".")
        assert [key for key in "abcd" if cache.get(key)] == ["a", "c", "d"]

    def test_who_reads_everything_once_takes_only_room_that_is_left(self) -> None:
        cache = EncodedCache(4)
        cache.put("hot", b"...")
        for key in "abc":
            cache.put(key, b".", evict=False)
        assert [key for key in ("hot", *"abc") if cache.get(key)] == ["hot", "a"]
        cache.put("new", b"..", evict=True)
        assert cache.get("new") == b".."

    async def test_what_is_larger_than_the_bound_is_given_and_not_kept(self) -> None:
        cache, work = EncodedCache(10), Work(bytes(11))
        cache.put("other", b"....")
        work.may_end.set()
        for _ in range(2):
            assert await cache.get_or_encode("key", work) == bytes(11)
        assert work.times == 2
        assert cache.get("other") == b"...."


class TestSharing:
    async def test_many_who_ask_at_once_share_one_encoding(self) -> None:
        cache, work = EncodedCache(100), Work()
        tasks = await started(cache, work, many=100)
        work.may_end.set()
        answers = await asyncio.gather(*tasks)
        assert work.times == 1
        assert all(one is answers[0] for one in answers)
        assert await cache.get_or_encode("key", work) is answers[0]
        assert work.times == 1

    async def test_one_who_leaves_does_not_take_it_from_the_others(self) -> None:
        cache, work = EncodedCache(100), Work()
        first, second = await started(cache, work, many=2)
        first.cancel()
        await asyncio.sleep(0)
        work.may_end.set()
        assert await second == b"encoded"
        assert first.cancelled()
        assert work.times == 1

    async def test_what_everybody_left_is_still_kept(self) -> None:
        cache, work = EncodedCache(100), Work()
        (only,) = await started(cache, work)
        only.cancel()
        await asyncio.sleep(0)
        work.may_end.set()
        assert await cache.get_or_encode("key", work) == b"encoded"
        assert work.times == 1

    async def test_other_keys_do_not_wait(self) -> None:
        cache, slow, quick = EncodedCache(100), Work(), Work(b"other")
        (waiting,) = await started(cache, slow)
        quick.may_end.set()
        assert await cache.get_or_encode("other", quick) == b"other"
        assert not waiting.done()
        slow.may_end.set()
        await waiting


class TestErrors:
    async def test_an_error_reaches_all_who_asked_and_is_not_kept(self) -> None:
        cache, work = EncodedCache(100), Work()
        work.error = ZeroDivisionError()
        tasks = await started(cache, work, many=3)
        work.may_end.set()
        told = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one) for one in told] == [ZeroDivisionError] * 3
        work.error = None
        assert await cache.get_or_encode("key", work) == b"encoded"
        assert work.times == 2

    async def test_an_error_that_nobody_waits_for_is_nobodys(self) -> None:
        complaints: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, said: complaints.append(said))
        cache, work = EncodedCache(100), Work()
        work.error = ZeroDivisionError()
        (only,) = await started(cache, work)
        only.cancel()
        await asyncio.sleep(0)
        work.may_end.set()
        for _ in range(5):
            await asyncio.sleep(0)
        del only
        gc.collect()
        assert complaints == []
        assert cache.bytes_kept == 0


class TestMany:
    async def test_what_another_is_encoding_is_not_encoded_again(self) -> None:
        cache, first, second = EncodedCache(100), Many(), Many()
        cache.put("a", b"kept")
        one = asyncio.ensure_future(cache.get_or_encode_all(["a", "b", "c"], first))
        await asyncio.sleep(0)
        two = asyncio.ensure_future(cache.get_or_encode_all(["d", "c", "b", "a"], second))
        await asyncio.sleep(0)
        first.may_end.set()
        second.may_end.set()
        assert await one == [b"kept", b"1", b"2"]
        assert await two == [b"0", b"2", b"1", b"kept"]
        assert (first.places, second.places) == ([[1, 2]], [[0]])
        assert [cache.get(key) for key in "abcd"] == [b"kept", b"1", b"2", b"0"]

    async def test_anothers_error_is_not_ones_own(self) -> None:
        cache, broken, sound = EncodedCache(100), Many(), Many()
        broken.error = ZeroDivisionError()
        one = asyncio.ensure_future(cache.get_or_encode_all(["bad", "good"], broken))
        await asyncio.sleep(0)
        two = asyncio.ensure_future(cache.get_or_encode_all(["good", "other"], sound))
        await asyncio.sleep(0)
        sound.may_end.set()
        broken.may_end.set()
        assert await two == [b"0", b"1"]
        with pytest.raises(ZeroDivisionError):
            await one

    async def test_one_who_leaves_does_not_take_many_from_the_others(self) -> None:
        cache, work = EncodedCache(100), Many()
        asked = [asyncio.ensure_future(cache.get_or_encode_all(["a", "b"], work)) for _ in range(2)]
        await asyncio.sleep(0)
        asked[0].cancel()
        await asyncio.sleep(0)
        work.may_end.set()
        assert await asked[1] == [b"0", b"1"]
        assert work.places == [[0, 1]]


class Many:
    """Encodes every place as its number, when the test lets it."""

    def __init__(self) -> None:
        self.places: list[list[int]] = []
        self.error: Exception | None = None
        self.may_end = asyncio.Event()

    async def __call__(self, places: Sequence[int]) -> list[bytes]:
        self.places.append(list(places))
        await self.may_end.wait()
        if self.error:
            raise self.error
        return [str(place).encode() for place in places]
