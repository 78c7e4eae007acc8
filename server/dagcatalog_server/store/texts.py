"""Texts as the stores keep and compare them: lists, prefixes, ASCII case, hashes."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice

# A list of texts is one column, every text between two separators: "contains this text" is then
# one exact substring test that SQLite and PostgreSQL do alike. JSON would not be exact (`","` is a
# substring of `["a","b"]`), JSON operators and arrays are not portable, and a table per list would
# cost rows at each write. A list may hold any text, so separator, escape and NUL are escaped.
_SEPARATOR = "\x1f"
_ESCAPE = "\x1b"
_ESCAPED = {_ESCAPE: _ESCAPE + "e", _SEPARATOR: _ESCAPE + "s", "\0": _ESCAPE + "0"}
_ESCAPES = str.maketrans(_ESCAPED)

_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_LAST_CODE_POINT = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
_SHA256 = re.compile("[0-9a-f]{64}")


def pack_texts(texts: Iterable[str]) -> str:
    """Join texts into one that `unpack_texts` takes apart; none gives the empty text."""
    packed = "".join(text.translate(_ESCAPES) + _SEPARATOR for text in texts)
    return _SEPARATOR + packed if packed else ""


def packed_text(text: str) -> str:
    """Give what a packed list contains exactly if this text is in the list."""
    return pack_texts((text,))


def unpack_texts(packed: str) -> tuple[str, ...]:
    """Take apart what `pack_texts` joined."""
    texts = packed.split(_SEPARATOR)[1:-1]
    if _ESCAPE in packed:
        texts = [_unescape(text) for text in texts]
    return tuple(texts)


def ascii_lower(text: str) -> str:
    """Lower ASCII letters only, as both databases' lower() does on columns of code points."""
    return text.translate(_ASCII_LOWER)


def after_prefix(prefix: str) -> str | None:
    """Give the first text by code point after all that begin with `prefix`; None: there is none."""
    stem = prefix.rstrip(chr(_LAST_CODE_POINT))
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    if following in _SURROGATES:
        following = _SURROGATES.stop
    return stem[:-1] + chr(following)


def is_sha256(text: str) -> bool:
    """Tell whether a text can be a hash; what cannot be one is never found."""
    return _SHA256.fullmatch(text) is not None


def in_parts(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    """Cut into lists of at most `size`, each to be one statement's parameters."""
    rest = iter(texts)
    while part := list(islice(rest, size)):
        yield part


def _unescape(text: str) -> str:
    for plain, escaped in reversed(_ESCAPED.items()):  # the escape itself comes last
        text = text.replace(escaped, plain)
    return text
