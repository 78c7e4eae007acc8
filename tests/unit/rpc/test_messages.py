"""Messages put together from parts: as protobuf itself would write them, and cut where they must be."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_server.rpc.messages import MESSAGE_BYTES, chunk_by_bytes
from dagcatalog_server.rpc.wire import field, header, renumbered

DOCUMENT = res.Dag.DOCUMENT_FIELD_NUMBER
# Where the length takes one byte more: 7 bits to a byte.
EDGES = [0, 1, 2**7 - 1, 2**7, 2**14 - 1, 2**14, 2**21 - 1, 2**21, 2**21 + 1]


class TestField:
    @pytest.mark.parametrize("size", EDGES)
    def test_it_is_what_protobuf_writes_at_every_length_of_a_length(self, size: int) -> None:
        content = b"x" * size
        written = field(DOCUMENT, content)
        assert res.Dag.FromString(written) == res.Dag(document=content)
        assert size == 0 or written == res.Dag(document=content).SerializeToString()

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 300) | st.integers(16_000, 17_000), st.binary(max_size=4))
    def test_it_is_what_protobuf_writes_at_any_length(self, size: int, end: bytes) -> None:
        content = bytes(size) + end
        assert res.Dag.FromString(field(DOCUMENT, content)).document == content

    @settings(max_examples=60, deadline=None)
    @given(st.text(max_size=200), st.text(max_size=200), st.integers(0, 2**63 - 1))
    def test_parts_beside_each_other_are_one_message(
        self, namespace: str, dag_id: str, revision: int
    ) -> None:
        summary = res.DagSummary(namespace=namespace, dag_id=dag_id, revision=revision)
        document = dag_id.encode()
        whole = res.Dag(
            summary=summary, document=document, document_encoding=res.DOCUMENT_ENCODING_ZSTD
        )
        summary_part = field(res.Dag.SUMMARY_FIELD_NUMBER, summary.SerializeToString())
        document_part = field(DOCUMENT, document)
        rest = res.Dag(document_encoding=res.DOCUMENT_ENCODING_ZSTD).SerializeToString()
        assert res.Dag.FromString(summary_part + document_part + rest) == whole
        assert res.Dag.FromString(rest + document_part + summary_part) == whole

    @pytest.mark.parametrize("size", EDGES)
    def test_a_field_gets_another_number_without_being_encoded_again(self, size: int) -> None:
        content = b"x" * size
        for number in (1, 5, 15):
            assert renumbered(number, field(2, content)) == field(number, content)
            assert header(number, size) + content == field(number, content)

    @pytest.mark.parametrize("number", range(1, 16))
    def test_every_number_of_one_byte_can_be_written(self, number: int) -> None:
        tag, length, content = field(number, b"x")
        assert (tag >> 3, tag & 7, length, content) == (number, 2, 1, ord("x"))


class TestChunks:
    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.integers(0, 30), max_size=40), st.integers(1, 40))
    def test_parts_stay_within_the_bound_or_are_one_item_and_keep_the_order(
        self, sizes: list[int], max_bytes: int
    ) -> None:
        items = list(enumerate(sizes))
        parts = list(chunk_by_bytes(items, lambda item: item[1], max_bytes=max_bytes))
        assert [item for part in parts for item in part] == items
        for part in parts:
            assert part
            assert len(part) == 1 or sum(size for _, size in part) <= max_bytes
        for one, following in pairwise(parts):  # no part ends too early
            assert sum(size for _, size in one) + following[0][1] > max_bytes

    def test_an_item_larger_than_a_message_is_alone(self) -> None:
        sizes = [10, MESSAGE_BYTES + 1, 10, 10]
        assert list(chunk_by_bytes(sizes, int)) == [[10], [MESSAGE_BYTES + 1], [10, 10]]

    def test_nothing_makes_no_part(self) -> None:
        assert list(chunk_by_bytes([], len)) == []

    def test_a_part_is_made_before_the_rest_is_looked_at(self) -> None:
        seen = []

        def size(item: int) -> int:
            seen.append(item)
            return 6

        parts = chunk_by_bytes(range(100), size, max_bytes=10)
        assert next(parts) == [0]
        assert seen == [0, 1]
