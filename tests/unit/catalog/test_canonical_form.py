"""What the canonical form keeps, and what it brings into one shape."""

import json

import pytest

from dagcatalog_server.catalog.canonical import DocumentLimits, canonicalize

LIMITS = DocumentLimits()


def canonical(raw: bytes) -> bytes:
    return canonicalize(raw, LIMITS).raw


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (rb'{"b": 1, "a": [1, 2]}', rb'{"a":[1,2],"b":1}'),
        (b' \n{"a"\t:1}\r\n', b'{"a":1}'),
        (rb'{"a":"\u00e9\/\u0041"}', '{"a":"é/A"}'.encode()),
        (rb'{"a":"\ud83c\udf19"}', '{"a":"🌙"}'.encode()),
        (rb'{"a":"\u0000\u001F\u007f"}', b'{"a":"\\u0000\\u001f\x7f"}'),
        (rb'{"\u0000":1,"":2}', rb'{"":2,"\u0000":1}'),
        ('{"é":1,"z":2,"🌙":3,"\uffee":4}'.encode(), '{"z":2,"é":1,"\uffee":4,"🌙":3}'.encode()),
        (b'{"a":18446744073709551616}', b'{"a":18446744073709551616}'),
        (b'{"a":-9223372036854775809}', b'{"a":-9223372036854775809}'),
        (b'{"a":1E16,"b":1e-7}', b'{"a":1e+16,"b":1e-07}'),
        (b'{"a":1e-7}', b'{"a":1e-07}'),  # as orjson writes them, sorted and without spaces
        (b'{"a":[0.00001]}', b'{"a":[1e-05]}'),
        (b'{"a":-0.0,"b":-0,"c":0.10}', b'{"a":-0.0,"b":0,"c":0.1}'),
        (b'{"a":1e308}', b'{"a":1e+308}'),
        (b'{"a":1e-400,"b":5e-324}', b'{"a":0.0,"b":5e-324}'),
        (b'{"a":1.0,"b":1}', b'{"a":1.0,"b":1}'),
    ],
)
def test_a_document_becomes_what_python_writes(written: bytes, expected: bytes) -> None:
    assert canonical(written) == expected
    assert canonical(expected) == expected
    assert json.loads(canonical(written)) == json.loads(written)


def test_the_longest_integer_keeps_every_digit() -> None:
    digits = b"9" * 4300
    assert canonical(b'{"a":%s}' % digits) == b'{"a":%s}' % digits
    assert canonical(b'{"a":-%s}' % digits) == b'{"a":-%s}' % digits


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        (b'{"a":1.5}', True),
        (b'{ "a":1.5}', True),
        (b'{"a":1e-07}', False),  # orjson writes 1e-7
        (b'{"a":1e-05}', False),  # and 0.00001
        (b'{"a":18446744073709551616}', False),  # orjson cannot write it
    ],
)
def test_a_tree_says_whether_orjson_writes_it_alike(raw: bytes, plain: bool) -> None:
    assert canonicalize(raw, LIMITS).plain is plain


def test_the_tree_of_a_document_is_what_its_bytes_say() -> None:
    for raw in (b'{"a":[1,{"b":null}]}', b'{ "a":[1,{"b":null}]}'):
        assert canonicalize(raw, LIMITS).tree == {"a": [1, {"b": None}]}


def test_the_tree_does_not_remember_how_keys_arrived() -> None:
    sent, sorted_keys = b'{"z":{"y":1,"x":[{"c":1,"b":2}]},"a":1}', ["a", "z"]
    tree = canonicalize(sent, LIMITS).tree
    assert list(tree) == sorted_keys
    assert repr(tree) == repr(canonicalize(canonical(sent), LIMITS).tree)
