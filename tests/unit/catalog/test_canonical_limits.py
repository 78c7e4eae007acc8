"""The bounds of a document at their edges, and documents made to cost time or memory."""

import tracemalloc

import pytest

from dagcatalog_server.catalog.canonical import DocumentLimits, canonicalize
from dagcatalog_server.catalog.errors import InvalidArgument, TooLarge

LIMITS = DocumentLimits()
MIB = 1024**2

SPACE = pytest.mark.parametrize("space", [b"", b" "], ids=["canonical", "not canonical"])


def refused_size(raw: bytes, limits: DocumentLimits = LIMITS) -> tuple[str, int, int]:
    with pytest.raises(TooLarge) as caught:
        canonicalize(raw, limits)
    assert caught.value.violation.field == "document"
    return caught.value.unit, caught.value.size, caught.value.limit


def nested(levels: int, space: bytes = b"") -> bytes:
    return b'{"a":' + space + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@SPACE
def test_depth_is_bounded_at_its_edge(space: bytes) -> None:
    canonicalize(nested(200, space), LIMITS)
    with pytest.raises(InvalidArgument) as caught:
        canonicalize(nested(201, space), LIMITS)
    assert caught.value.violation.description == "is nested deeper than 200"
    assert caught.value.violation.field.startswith("document.a[0][0]")


@pytest.mark.parametrize(("opening", "byte"), [(b"[", 200), (b'{"a":', 1000), (b'[{"\\"[{":', 900)])
def test_a_hundred_thousand_levels_are_refused_with_the_byte(opening: bytes, byte: int) -> None:
    with pytest.raises(InvalidArgument) as caught:
        canonicalize(opening * 100_000, LIMITS)
    assert caught.value.violation.field == "document"
    assert caught.value.violation.description == f"is nested deeper than 200 at byte {byte}"


def test_a_depth_limit_beyond_what_orjson_writes_still_works() -> None:
    deep = DocumentLimits(max_depth=400)
    assert canonicalize(nested(400), deep).raw == nested(400)
    with pytest.raises(InvalidArgument):
        canonicalize(nested(401), deep)


@SPACE
def test_bytes_are_bounded_at_their_edge(space: bytes) -> None:
    raw = b'{"a":%s"xxxx"}' % space
    canonicalize(raw, DocumentLimits(max_bytes=len(raw)))
    limits = DocumentLimits(max_bytes=len(raw) - 1)
    assert refused_size(raw, limits) == ("bytes", len(raw), len(raw) - 1)


def test_a_document_that_grows_past_the_limit_is_refused() -> None:
    raw = b'{"a":[1E5,1E5,1E5]}'
    assert refused_size(raw, DocumentLimits(max_bytes=len(raw))) == ("bytes", 34, len(raw))


@SPACE
def test_values_are_bounded_at_their_edge(space: bytes) -> None:
    raw = b'{"a":%s[1,2,{"b":3}]}' % space  # two objects, one list, three numbers
    canonicalize(raw, DocumentLimits(max_nodes=6))
    assert refused_size(raw, DocumentLimits(max_nodes=5)) == ("values", 6, 5)


def test_brackets_and_commas_inside_strings_are_no_values() -> None:
    raw = b'{"a,[{":"[,\\"[{,\\\\","b":",,,"}'
    canonicalize(raw, DocumentLimits(max_nodes=3))
    assert refused_size(raw, DocumentLimits(max_nodes=2)) == ("values", 3, 2)


def test_values_cannot_hide_behind_quotes_inside_strings() -> None:
    raw = b'{"a":"\\"","b":[1,2,3,4,5,6,7,8],"c":"\\\\"}'
    assert refused_size(raw, DocumentLimits(max_nodes=10)) == ("values", 12, 10)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("head", "unit", "tail"),
    [
        (b'{"a":"', b'\\"', b'"}'),
        (b'{"a":"' + b"," * MIB, b'\\"', b'"}'),
        (b'{"a":"' + b"," * MIB, b'\\"', b""),  # never ends: quadratic if each quote is tried
        (b'{"a":"' + b"," * MIB, b'\\"', b"\\"),
        (b'{"a":"' + b"[" * MIB, b"\\\\", b'"}'),
        (b'{"a":"' + b"," * MIB, b"\\u0000", b'"}'),
    ],
    ids=["escapes", "commas", "unended", "unended escape", "brackets", "NUL"],
)
def test_sixteen_mebibytes_of_escapes_cost_neither_time_nor_memory(
    head: bytes, unit: bytes, tail: bytes
) -> None:
    room = 16 * MIB - len(head) - len(tail)
    raw = head + unit * (room // len(unit)) + tail
    tracemalloc.start()
    try:
        if tail == b'"}':
            assert canonicalize(raw, LIMITS).raw == raw
        else:
            with pytest.raises(InvalidArgument, match="is not JSON"):
                canonicalize(raw, LIMITS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * len(raw)  # orjson reserves twelve


@SPACE
def test_many_values_at_the_bottom_cost_no_paths(space: bytes) -> None:
    values = (b"1," * 100_000) + b"1"
    raw = b'{"a":%s%s%s%s}' % (space, b"[" * 198, values, b"]" * 198)
    tracemalloc.start()
    try:
        canonicalize(raw, LIMITS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 * MIB  # a path each would be 160 MB


def test_too_many_values_are_refused_before_they_are_made() -> None:
    raw = b'{"a":[' + b"[]," * 5_000_000 + b"[]]}"
    tracemalloc.start()
    try:
        unit, size, limit = refused_size(raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (unit, size, limit) == ("values", 10_000_004, 1_000_000)
    assert peak < 3 * len(raw)
