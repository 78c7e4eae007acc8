"""Every reason to refuse a document, with the exact path of what is wrong."""

import pytest

from dagcatalog_server.catalog.canonical import DocumentLimits, canonicalize
from dagcatalog_server.catalog.errors import InvalidArgument

LIMITS = DocumentLimits()


def refusal(raw: bytes) -> tuple[str, str]:
    with pytest.raises(InvalidArgument) as caught:
        canonicalize(raw, LIMITS)
    return caught.value.violation.field, caught.value.violation.description


@pytest.mark.parametrize(
    ("raw", "field", "problem"),
    [
        (b'{"dag":{"x":NaN}}', "document.dag.x", "NaN is not JSON"),
        (b'{"a":[0,{"b":-Infinity}]}', "document.a[1].b", "-Infinity is not JSON"),
        (b'{"a":Infinity}', "document.a", "Infinity is not JSON"),
        (b'{"a":[1,1E400]}', "document.a[1]", "1E400 is beyond the range of a double"),
        (b'{"a":-1e309}', "document.a", "-1e309 is beyond the range of a double"),
        (b'{"a":1,"a":1}', "document", "has the key 'a' twice"),
        (b'{"a":[{"b":{"c":1,"d":2,"c":3}}]}', "document.a[0].b", "has the key 'c' twice"),
        (rb'{"a":{"x":1,"\u0078":2}}', "document.a", "has the key 'x' twice"),
        (rb'{"a":["ok\udc80"]}', "document.a[0]", "has a lone surrogate at character 2"),
        (rb'{"a":"\ud83c"}', "document.a", "has a lone surrogate at character 0"),
        (rb'{"a":"\udf19\ud83c"}', "document.a", "has a lone surrogate at character 0"),
        (rb'{"a":{"k\ud800":1}}', "document.a", r"has a lone surrogate in the key 'k\ud800'"),
        (rb'{"k\ud800":{"a":NaN}}', "document", r"has a lone surrogate in the key 'k\ud800'"),
        (b"[]", "document", "is not a JSON object"),
        (b'"text"', "document", "is not a JSON object"),
        (b"null", "document", "is not a JSON object"),
        (b"NaN", "document", "NaN is not JSON"),
        (b'{"a":"\xff"}', "document", "is not UTF-8 at byte 6"),
        (b'{"a":"\xf0\x9f\x8c"}', "document", "is not UTF-8 at byte 6"),
        (b'{"a":"\xed\xa0\x80"}', "document", "is not UTF-8 at byte 6"),
        (b'{"a":"\xc0\xaf"}', "document", "is not UTF-8 at byte 6"),
    ],
)
def test_a_refusal_names_the_place_and_the_problem(raw: bytes, field: str, problem: str) -> None:
    assert refusal(raw) == (field, problem)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"a":1',
        b'{"a":1}}',
        b'{"a":1} {}',
        b"{'a':1}",
        b'{"a":01}',
        b'{"a":+1}',
        b'{"a":.5}',
        b'{"a":1.}',
        b'{"a":tru}',
        b'{"a":"\n"}',
        b'{"a":"\x00"}',
        b'{"a":"\\x41"}',
        b'{"a":"unended',
        b'{"a":"\\',
        b'{"a":1,}',
        b"{a:1}",
        b'{"a":1}\x00',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16-le"),
    ],
)
def test_what_is_not_json_is_refused_with_where_it_stops(raw: bytes) -> None:
    field, problem = refusal(raw)
    assert field == "document"
    assert problem.startswith("is not JSON: ")
    assert " at line " in problem


def test_an_integer_that_python_would_not_read_is_refused() -> None:
    too_long = b"9" * 4301
    expected = ("document.a[0]", "is an integer of more than 4,300 digits")
    assert refusal(b'{"a":[%s]}' % too_long) == expected
    assert refusal(b'{"a":[-%s]}' % too_long) == expected


def test_a_refusal_of_a_huge_key_or_path_stays_short() -> None:
    key = b"k" * 100_000
    _, problem = refusal(b'{"%s":1,"%s":2}' % (key, key))
    assert len(problem) < 200
    _, problem = refusal(rb'{"%s\ud800":1}' % key)
    assert len(problem) < 200
    field, _ = refusal(b'{"%s":{"inner":NaN}}' % key)
    assert len(field) < 400
    assert field.startswith("document.kkk")
    assert field.endswith("k.inner")


def test_a_key_that_cannot_be_printed_is_escaped_in_the_path() -> None:
    assert refusal(rb'{"\u0000\n":NaN}')[0] == r"document.\x00\n"
    assert refusal('{"ключ":NaN}'.encode())[0] == "document.ключ"
