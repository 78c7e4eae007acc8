"""Canonical JSON for any JSON: one form, whoever reads it; and a definition that knows its noise."""

import json
import random
from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dagcatalog_server.catalog import canonical
from dagcatalog_server.catalog.canonical import DocumentLimits, canonicalize
from dagcatalog_server.catalog.definition import hash_document
from dagcatalog_server.catalog.errors import CatalogError
from tests.support.documents import Tree, as_bytes, edited, format_3

LIMITS = DocumentLimits()

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["", "\0", "\x7f", "\x1f", "\u2028", "é", "🌙", "\uffff", "\U0010ffff", '"\\/\b\f\n\r\t']
)
NUMBERS = (
    st.integers()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.sampled_from([2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**400])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([1e16, 1e-7, -0.0, 5e-324, 1.7976931348623157e308, 1e22, 1e21, 0.1, 1e-5])
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
DOCUMENTS = st.dictionaries(TEXTS, JSON, max_size=6)


def shuffled(value: Any, chance: random.Random) -> Any:
    """Copy JSON with the keys of its objects in another order."""
    if isinstance(value, list):
        return [shuffled(one, chance) for one in value]
    if not isinstance(value, dict):
        return value
    keys = chance.sample(list(value), len(value))
    return {key: shuffled(value[key], chance) for key in keys}


@given(DOCUMENTS, st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
@example({"a": 1e16, "b": 1e-7, "c": 2**64, "d": -0.0}, random.Random(1))
def test_however_a_document_is_written_there_is_one_form(tree: Tree, chance: random.Random) -> None:
    expected = as_bytes(tree)
    other = shuffled(tree, chance)
    written = [
        expected,
        json.dumps(tree).encode(),
        json.dumps(other, indent=1).encode(),
        json.dumps(other, ensure_ascii=False, separators=(" ,\t", "\r\n:")).encode(),
    ]
    for raw in written:
        document = canonicalize(raw, LIMITS)
        assert document.raw == expected
        assert document.tree == tree
        assert repr(document.tree) == repr(canonicalize(expected, LIMITS).tree)


@given(DOCUMENTS)
@settings(max_examples=300, deadline=None)
def test_the_quick_reader_agrees_with_the_strict_one_or_steps_aside(tree: Tree) -> None:
    raw = as_bytes(tree)
    strict = canonical._read_strictly(raw, LIMITS)
    quick = canonical._read_canonical(raw, LIMITS)
    assert quick is None or quick == strict
    assert quick is not None or not strict.plain
    assert canonical.dump(strict.tree, plain=strict.plain) == raw


@given(DOCUMENTS)
@settings(max_examples=150, deadline=None)
def test_what_another_library_writes_has_the_same_form(tree: Tree) -> None:
    try:
        raw = orjson.dumps(tree)
    except orjson.JSONEncodeError:  # integers past 64 bits
        return
    assert canonicalize(raw, LIMITS).raw == as_bytes(tree)


PIECES = st.sampled_from(
    [
        *'{}[]:,"\\/-+.eE0123456789 \n\t',
        '"a"',
        '"a":',
        "{}",
        "[]",
        "null",
        "true",
        "NaN",
        "-Infinity",
        "1e400",
        "\\u0000",
        "\\ud800",
        "\\udc00",
        "é",
        "\ufeff",
        "\0",
    ]
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw JSON with pieces put in, taken out or doubled."""
    text = json.dumps(draw(DOCUMENTS), ensure_ascii=draw(st.booleans()))
    for _ in range(draw(st.integers(min_value=0, max_value=3))):
        start = draw(st.integers(min_value=0, max_value=len(text)))
        end = draw(st.integers(min_value=start, max_value=min(start + 3, len(text))))
        text = text[:start] + draw(PIECES) + text[end:]
    return text.encode()


@given(damaged() | st.binary(max_size=30) | st.lists(PIECES).map(lambda one: "".join(one).encode()))
@settings(max_examples=500, deadline=None)
@example(b'{"a":1,"a":1}')
@example(b'{"a":"\\ud800"}')
def test_what_is_accepted_means_what_python_reads(raw: bytes) -> None:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            raise ValueError("twice")
        return made

    try:
        document = canonicalize(raw, LIMITS)
    except CatalogError:
        document = None
    try:
        read = json.loads(raw.decode(), object_pairs_hook=once)
        expected = json.dumps(
            read, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        ).encode()  # raises for lone surrogates
    except ValueError:
        assert document is None
        return
    if not isinstance(read, dict):
        assert document is None
        return
    assert document is not None
    assert (document.raw, document.tree) == (expected, read)
    assert canonicalize(document.raw, LIMITS).raw == document.raw


def _definition(tree: Tree) -> str:
    return hash_document(canonicalize(as_bytes(tree), LIMITS)).definition


SETS = st.lists(TEXTS, max_size=4, unique=True)


@given(SETS, SETS, JSON, TEXTS, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_noise_never_reaches_the_definition(
    tags: list[str], downstream: list[str], extra: object, path: str, chance: random.Random
) -> None:
    def fill(tree: Tree) -> None:
        tree["dag"].update(tags=tags, extra=extra)
        tree["dag"]["tasks"][0]["__var"]["downstream_task_ids"] = downstream
        tree["dag"]["task_group"]["upstream_task_ids"] = downstream

    def stir(tree: Tree) -> None:
        dag = tree["dag"]
        dag.update(fileloc=path, relative_fileloc=path, _processor_dags_folder=path)
        for entries in (
            dag["tags"],
            dag["tasks"],
            dag["dag_dependencies"],
            dag["task_group"]["upstream_task_ids"],
        ):
            chance.shuffle(entries)

    one = edited(format_3(), fill)
    other = shuffled(edited(one, stir), chance)
    assert _definition(one) == _definition(other)
    raw = json.dumps(other).encode()
    assert hash_document(canonicalize(raw, LIMITS)).definition == _definition(one)


@given(JSON, JSON, st.sampled_from(["description", "catchup", "edge_info", "params", "new"]))
@settings(max_examples=150, deadline=None)
def test_every_other_difference_reaches_the_definition(
    one: object, other: object, field: str
) -> None:
    first, second = (
        edited(format_3(), lambda tree, value=value: tree["dag"].update({field: value}))  # type: ignore[misc] # binds
        for value in (one, other)
    )
    assert (_definition(first) == _definition(second)) == (as_bytes(one) == as_bytes(other))
