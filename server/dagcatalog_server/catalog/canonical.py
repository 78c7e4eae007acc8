r"""The canonical form of a document, and every reason to refuse one.

Canonical is what Python's own `json` writes with sorted keys, no spaces and non-ASCII characters
as they are: the language of every Airflow, so a producer can make it without a library of ours.
Integers keep all their digits and `\u0000` stays. docs/reference/canonical-json.md has the rules.

If orjson writes a document exactly as it came, the document was canonical already, and that is found
out five times faster than by the strict reader (benchmarks/canonical_json.py), through which
everything else goes, and every error.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeAlias

import orjson

from dagcatalog_server.catalog.errors import InvalidArgument, TooLarge

Json: TypeAlias = Any  # a JSON value: a recursive union helps no reader here

# Python refuses to read longer integers (sys.set_int_max_str_digits), and so would Airflow.
MAX_INTEGER_DIGITS = 4300
_PATH_CHARACTERS = 300
_KEY_CHARACTERS = 80
# The closing quote is optional: a string that never ends would else be tried again from each
# escaped quote inside it, which is quadratic (an hour for 16 MiB).
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """Bounds of a document."""

    max_bytes: int = 16 * 1024**2
    max_depth: int = 200
    """Containers inside one another."""
    max_nodes: int = 1_000_000
    """Values: as many as there are commas and opening brackets outside strings."""


@dataclass(frozen=True, slots=True)
class CanonicalDocument:
    """A document that was accepted."""

    raw: bytes
    """Its canonical bytes."""
    tree: Json
    """The same, read, keys sorted; never to be changed."""
    plain: bool
    """orjson writes the tree as Python's `json` does."""


def canonicalize(raw: bytes, limits: DocumentLimits) -> CanonicalDocument:
    """Read a document and bring it into canonical form.

    Field paths of errors begin with `document`.

    Raises:
        InvalidArgument: not UTF-8, not JSON, or JSON that no Airflow could have meant.
        TooLarge: more bytes or values than `limits` allow.

    """
    if len(raw) > limits.max_bytes:
        raise TooLarge("document", "bytes", size=len(raw), limit=limits.max_bytes)
    _check_nodes(raw, limits.max_nodes)
    return _read_canonical(raw, limits) or _read_strictly(raw, limits)


def _check_nodes(raw: bytes, limit: int) -> None:
    """Count values before any are made: 16 MiB of brackets would be gigabytes of lists."""
    if len(raw) < limit or _count_nodes(raw) <= limit:
        return  # the common case: each value takes a byte, and each comma in a string counts too
    nodes = _count_nodes(_STRINGS.sub(b"", raw))
    if nodes > limit:
        raise TooLarge("document", "values", size=nodes, limit=limit)


def _count_nodes(raw: bytes) -> int:
    return 1 + raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def _read_canonical(raw: bytes, limits: DocumentLimits) -> CanonicalDocument | None:
    """Accept a document that is canonical as it came; None if it is not known to be."""
    try:
        tree = orjson.loads(raw)
        # Equal bytes rule out duplicate keys, integers past 64 bits, spaces and unsorted keys.
        if orjson.dumps(tree, option=orjson.OPT_SORT_KEYS) != raw:
            return None
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None
    if not isinstance(tree, dict) or not _is_shallow_and_plain(tree, limits.max_depth):
        return None
    return CanonicalDocument(raw, tree, plain=True)


def _is_shallow_and_plain(tree: Json, max_depth: int) -> bool:
    """No deeper than `max_depth`, and no float that orjson writes in another form than Python."""
    level, depth = [tree], 0
    while level:
        depth += 1
        if depth > max_depth:
            return False
        inner: list[Json] = []
        for container in level:
            for value in container.values() if type(container) is dict else container:
                kind = type(value)
                if kind is str:  # most are
                    continue
                if kind is dict or kind is list:
                    if value or depth == max_depth:
                        inner.append(value)
                elif kind is float and not _is_plain(value):
                    return False
        level = inner
    return True


def _is_plain(value: float) -> bool:
    # Between these nobody writes an exponent.
    return 1e-3 < value < 1e15 or repr(value).encode() == orjson.dumps(value)


@dataclass(frozen=True, slots=True)
class _Flaw:
    """Stands in the tree for something refused, so that its path can be found afterwards."""

    problem: str


def _read_strictly(raw: bytes, limits: DocumentLimits) -> CanonicalDocument:
    tree = _parse(raw, limits)
    for place, flaw in _find_flaws(tree, limits.max_depth):
        raise InvalidArgument(_render(place), flaw)
    if not isinstance(tree, dict):
        raise InvalidArgument("document", "is not a JSON object")
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    canonical = text.encode()
    if len(canonical) > limits.max_bytes:
        raise TooLarge("document", "bytes", size=len(canonical), limit=limits.max_bytes)
    return CanonicalDocument(canonical, tree, plain=_written_alike(tree, canonical))


def _parse(raw: bytes, limits: DocumentLimits) -> Json:
    try:
        return json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=lambda word: _Flaw(f"{word} is not JSON"),
            parse_int=_integer,
            parse_float=_float,
        )
    except UnicodeDecodeError as error:
        raise InvalidArgument("document", f"is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno} (character {error.pos})"
        raise InvalidArgument("document", f"is not JSON: {error.msg} at {where}") from error
    except RecursionError as error:
        where = f"is nested deeper than {limits.max_depth} at byte {_deep_byte(raw, limits)}"
        raise InvalidArgument("document", where) from error


def _object(pairs: list[tuple[str, Json]]) -> Json:
    # Sorted, as the other reader's objects are: nothing may depend on the order of arrival.
    made = dict(sorted(pairs, key=itemgetter(0)))
    if len(made) == len(pairs):
        return made
    seen: set[str] = set()
    repeated = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value] # set.add is None: the idiom of itertools' unique_everseen
    return _Flaw(f"has the key {_quoted(repeated)} twice")


def _integer(digits: str) -> Json:
    if len(digits.lstrip("-")) > MAX_INTEGER_DIGITS:
        return _Flaw(f"is an integer of more than {MAX_INTEGER_DIGITS:,} digits")
    return int(digits)


def _float(digits: str) -> Json:
    value = float(digits)
    if value in {float("inf"), float("-inf")}:
        return _Flaw(f"{digits[:40]} is beyond the range of a double")
    return value


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value is, as a link to where its container is: whole paths would be gigabytes."""

    container: "_Place | None" = None
    step: str | int = ""
    depth: int = 0


def _find_flaws(tree: Json, max_depth: int) -> Iterator[tuple[_Place, str]]:
    """Yield what is refused with its place, in no particular order; lazily: one is enough."""
    stack: list[tuple[_Place, Json]] = [(_Place(), tree)]
    while stack:
        place, value = stack.pop()
        if (problem := _problem(value)) is not None:
            yield place, problem
        elif isinstance(value, dict | list):
            if place.depth >= max_depth:
                yield place, f"is nested deeper than {max_depth}"
                continue
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, inner in items:
                if isinstance(key, str) and _surrogate(key) is not None:
                    yield place, f"has a lone surrogate in the key {_quoted(key)}"
                if isinstance(inner, dict | list) or _problem(inner) is not None:
                    stack.append((_Place(place, key, place.depth + 1), inner))


def _problem(value: Json) -> str | None:
    if isinstance(value, _Flaw):
        return value.problem
    if isinstance(value, str) and (where := _surrogate(value)) is not None:
        return f"has a lone surrogate at character {where}"
    return None


def _surrogate(text: str) -> int | None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return None


def _render(place: _Place) -> str:
    steps = []
    while place.container is not None:
        step = place.step
        steps.append(f"[{step}]" if isinstance(step, int) else f".{_printable(step)}")
        place = place.container
    text = "document" + "".join(reversed(steps))
    if len(text) <= _PATH_CHARACTERS:
        return text
    return f"{text[: _PATH_CHARACTERS // 2]}…{text[-_PATH_CHARACTERS // 2 :]}"


def _printable(key: str) -> str:
    return key.encode("unicode_escape").decode() if not key.isprintable() else key


def _quoted(key: str) -> str:
    return repr(key if len(key) <= _KEY_CHARACTERS else key[:_KEY_CHARACTERS] + "…")


def _deep_byte(raw: bytes, limits: DocumentLimits) -> int:
    """Find the bracket that goes too deep, in a document too deep to be read."""
    depth = 0
    for token in re.finditer(_STRINGS.pattern + rb"|[\[\]{}]", raw, re.DOTALL):
        first = raw[token.start()]
        depth += (first in b"[{") - (first in b"]}")
        if depth > limits.max_depth:
            return token.start()
    return len(raw)


def _written_alike(tree: Json, canonical: bytes) -> bool:
    try:
        return orjson.dumps(tree, option=orjson.OPT_SORT_KEYS) == canonical
    except orjson.JSONEncodeError:
        return False


def dump(value: Json, *, plain: bool) -> bytes:
    """Write a part of an accepted document in canonical form."""
    if plain:
        with suppress(orjson.JSONEncodeError):  # nested deeper than orjson goes, about 250
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()
