"""Documents that no catalog may accept, of every kind that a broken or hostile producer sends."""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from tests.support.dags import dag_document
from tests.support.wire import canonical

MIB = 1024**2
DEEP = 100_000
SPOT = b'"@"'  # stands where a flaw goes

BYTE, LINE = r"at byte \d+", r"at line \d+ column \d+ \(character \d+\)"
INSIDE = r"^item\.document\.dag\."
WHOLE = r"^item\.document: "


@dataclass(frozen=True)
class Malformed:
    """A document and how its refusal must read."""

    kind: str
    dag_id: str
    document: bytes
    place: str
    """Pattern of `field: description`: a path into the document, or a byte or line of it."""
    too_large: bool = False


Made = tuple[bytes, str]
Maker = Callable[[random.Random, str], Made]


def malformed(seed: int, count: int) -> list[Malformed]:
    """Make so many documents, every kind as often, in an order that the seed decides."""
    source = random.Random(seed)
    made = list(islice(_endless(source), count))
    source.shuffle(made)
    return made


def _endless(source: random.Random) -> Iterator[Malformed]:
    number = 0
    while True:
        for kind, make in KINDS.items():
            number += 1
            dag_id = f"bad-{number}"
            document, place = make(source, dag_id)
            yield Malformed(kind, dag_id, document, place, too_large=kind in TOO_LARGE)


def _with(source: random.Random, dag_id: str, flaw: bytes) -> bytes:
    """Put a flaw at some depth of a DAG that is fine otherwise."""
    spot: object = "@"
    for level in range(source.randrange(1, 6)):
        spot = [level, spot] if source.random() < 0.5 else {f"key {level}": spot, "z": level}
    document = dag_document(dag_id, tasks=["a", "b"], description="é 日本 \U0001f319")
    document["dag"][source.choice(["params", "zz", "default_args"])] = spot  # type: ignore[index] # a document is JSON
    spaced = source.random() < 0.5
    raw = json.dumps(document, indent=2, ensure_ascii=False).encode()
    return (raw if spaced else canonical(document)).replace(SPOT, flaw)


def _valid(source: random.Random, dag_id: str) -> bytes:
    return _with(source, dag_id, b'"fine"')


def _bad_json(source: random.Random, dag_id: str) -> Made:
    flaws = [b"", b"'x'", b"01", b"+1", b"1.", b"[1,]", b'{"a":1,}', b"{a:1}", b'"\\x"', b'"\\u12"']
    flaws += [b"True", b"None", b"undefined", b"/* */ 1", b'"a\nb"', b"[1 2]", b'{"a" 1}', b"}"]
    return _with(source, dag_id, source.choice(flaws)), LINE


def _cut(source: random.Random, dag_id: str) -> Made:
    raw = _with(source, dag_id, b'"fine"').decode()
    return raw[: source.randrange(len(raw) - 1)].encode(), LINE


def _trailing(source: random.Random, dag_id: str) -> Made:
    return _valid(source, dag_id) + source.choice([b"x", b",", b"{}", b"\n\n]", b"\xc2\xa0"]), LINE


def _not_finite(source: random.Random, dag_id: str) -> Made:
    flaw = source.choice([b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e400"])
    return _with(source, dag_id, flaw), INSIDE


def _deep(source: random.Random, dag_id: str) -> Made:
    opening, closing = source.choice([(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a\\"[":', b"}]")])
    closed = closing * DEEP if source.random() < 0.7 else b""
    return _with(source, dag_id, opening * DEEP + b"1" + closed), BYTE


def _rather_deep(source: random.Random, dag_id: str) -> Made:
    depth = source.randrange(201, 260)
    flaw = b"[" * depth + b"]" * depth
    return _with(source, dag_id, flaw), INSIDE + ".* is nested deeper than 200"


def _huge_integer(source: random.Random, dag_id: str) -> Made:
    digits = str(source.randrange(1, 10)) * source.randrange(5_000, 200_000)
    return _with(source, dag_id, source.choice([b"", b"-"]) + digits.encode()), INSIDE


def _raw_nul(source: random.Random, dag_id: str) -> Made:
    flaw = source.choice([b'"a\0b"', b"\0", b'{"a\0":1}', b'"x"\0'])
    return _with(source, dag_id, flaw), LINE


def _escaped_surrogate(source: random.Random, dag_id: str) -> Made:
    code = f"\\u{source.randrange(0xD800, 0xE000):04x}".encode()
    flaw = source.choice([b'"x%b"', b'{"%b":1}', b'["%b \\ud83c"]', b'{"a":{"b%b":[]}}'])
    return _with(source, dag_id, flaw % code), INSIDE + ".* lone surrogate"


def _encoded_surrogate(source: random.Random, dag_id: str) -> Made:
    code = chr(source.randrange(0xD800, 0xE000)).encode("utf-8", "surrogatepass")
    return _with(source, dag_id, b'"x%b"' % code), BYTE


def _wrong_dag_id(source: random.Random, dag_id: str) -> Made:
    document = dag_document(dag_id)
    dag: dict[str, object] = document["dag"]  # type: ignore[assignment] # a document is JSON
    dag["dag_id"] = source.choice(["other", dag_id.upper(), f" {dag_id}", "", None, 7, [dag_id]])
    if source.random() < 0.2:
        del dag["dag_id"]
    return canonical(document), r"^item\.document\.dag\.dag_id: must be '" + dag_id


def _too_many_bytes(source: random.Random, dag_id: str) -> Made:
    padding = source.choice(["x", "é", "\0"]) * (17 * MIB)
    raw = canonical(dag_document(dag_id, padding=padding))[: 17 * MIB]
    return raw, WHOLE + r"17,825,792 bytes are over the limit of 16,777,216"


def _too_many_values(source: random.Random, dag_id: str) -> Made:
    flaw = source.choice([b"[" * 2 * MIB, b"[" + b"1," * 2 * MIB + b"1]", b'{"a":[],' * MIB])
    return _with(source, dag_id, flaw), WHOLE + r"[\d,]+ values are over the limit"


def _large_with_a_flaw(source: random.Random, dag_id: str) -> Made:
    values = b",".join(b'{"a":%d}' % number for number in range(source.randrange(40_000)))
    flaw = b"[[%b],NaN,%b]" % (values, b'"%b"' % (b"y" * source.randrange(8 * MIB)))
    return _with(source, dag_id, flaw), INSIDE + ".* NaN is not JSON"


def _duplicate_key(source: random.Random, dag_id: str) -> Made:
    flaw = source.choice([b'{"a":1,"a":1}', b'{"":0,"":1}', b'{"b":1,"a":{},"\\u0062":[]}'])
    return _with(source, dag_id, flaw), INSIDE + ".* has the key .* twice"


def _truncated_utf8(source: random.Random, dag_id: str) -> Made:
    whole = source.choice("é日\U0001f319").encode()
    part = whole[: source.randrange(1, len(whole))]
    if source.random() < 0.3:
        return _valid(source, dag_id) + part, BYTE
    return _with(source, dag_id, b'"x%b"' % part), BYTE


def _not_an_object(source: random.Random, _dag_id: str) -> Made:
    raw = source.choice([b"[]", b'"dag"', b"1", b"null", b"true", b"[{}]", b"1e3", b" [1]\n"])
    return raw, WHOLE + "is not a JSON object"


def _no_dag(source: random.Random, dag_id: str) -> Made:
    texts: Mapping[str, object] = {"__version": 3, "dag_id": dag_id}
    dag = source.choice([None, [], "x", 1, [{"dag_id": dag_id}]])
    raw = canonical({**texts, "dag": dag} if source.random() < 0.7 else texts)
    return raw, r"^item\.document\.dag: must be an object"


KINDS: Mapping[str, Maker] = {
    "bad JSON": _bad_json,
    "JSON cut short": _cut,
    "something after the end": _trailing,
    "NaN or infinity": _not_finite,
    "depth 100,000": _deep,
    "depth over 200": _rather_deep,
    "huge integer": _huge_integer,
    "raw NUL": _raw_nul,
    "lone surrogate, escaped": _escaped_surrogate,
    "lone surrogate, encoded": _encoded_surrogate,
    "wrong dag_id": _wrong_dag_id,
    "17 MiB": _too_many_bytes,
    "too many values": _too_many_values,
    "large, with a flaw": _large_with_a_flaw,
    "duplicate key": _duplicate_key,
    "truncated UTF-8": _truncated_utf8,
    "not an object": _not_an_object,
    "no dag": _no_dag,
}
TOO_LARGE = {"17 MiB", "too many values"}
