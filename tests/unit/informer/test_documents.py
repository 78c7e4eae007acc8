"""Documents in memory, within a bound."""

import pytest
import zstandard

from dagcatalog_client import InternalError
from dagcatalog_client.convert.answers import summary_of_bytes
from dagcatalog_client.convert.encodings import Encoded
from dagcatalog_client.informer.documents import ENTRY_BYTES, Documents
from tests.support.entries import entry, plain


def test_the_least_recently_used_goes_first() -> None:
    documents = Documents(3 * (ENTRY_BYTES + 10))
    for name in "abc":
        documents.put(name, plain(b"x" * 10))
    assert documents.get("a") is not None
    documents.peek("b")  # looking is not using
    documents.put("d", plain(b"x" * 10))
    assert [name for name in "abcd" if name in documents] == ["a", "c", "d"]


@pytest.mark.parametrize("at_once", [True, False])
def test_the_bound_holds_whatever_comes(at_once: bool) -> None:
    documents = Documents(10_000)
    contents = [(str(number), plain(b"x" * (number * 37 % 3_000))) for number in range(200)]
    if at_once:
        documents.put_all(contents)
    else:
        for name, content in contents:
            documents.put(name, content)
            assert documents.held_bytes <= 10_000
    left = [documents.peek(name) for name, _ in contents]
    assert documents.held_bytes == sum(one.cost_bytes for one in left if one is not None)
    assert 0 < len(documents) == sum(one is not None for one in left)
    assert documents.held_bytes <= 10_000


def test_a_document_that_is_too_large_is_given_but_not_kept() -> None:
    documents = Documents(1_000)
    documents.put("small", plain(b"x"))
    assert documents.put("large", plain(b"x" * 1_001)).document == b"x" * 1_001
    documents.put_all([("large", plain(b"x" * 1_001))])
    assert "large" not in documents
    assert "small" in documents


def test_a_document_stays_compressed_until_it_is_read_and_counts_as_what_it_is() -> None:
    raw = b"x" * 5_000
    packed = Encoded(zstandard.compress(raw), packed=True)
    documents = Documents(100_000)
    held = documents.put("a", packed)
    assert documents.held_bytes == ENTRY_BYTES + len(packed.raw)
    assert held.document == raw
    opened = documents.unpack("a", plain(held.document))
    assert documents.get("a") is opened
    assert documents.held_bytes == ENTRY_BYTES + 5_000


@pytest.mark.parametrize("raw", [b"no frame", zstandard.compress(b"x" * 100)[:-4]])
def test_damaged_frames_are_one_clear_error(raw: bytes) -> None:
    with pytest.raises(InternalError, match="the catalog sent"):
        Encoded(raw, packed=True).document()


def test_the_same_dag_is_given_until_its_summary_is_another() -> None:
    held = Documents(1_000).put("a", plain(b"{}"))
    first, second = (summary_of_bytes(entry("a", revision).raw) for revision in (1, 2))
    dag = held.with_summary(first)
    assert held.with_summary(first) is dag
    assert held.with_summary(second).summary is second
