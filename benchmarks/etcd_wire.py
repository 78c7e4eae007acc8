"""etcd's messages, written by hand: the few fields that the benchmarks send.

Field numbers as in etcd's public API (etcdserverpb, v3).
"""

from collections.abc import Iterable, Mapping

RANGE = "/etcdserverpb.KV/Range"
PUT = "/etcdserverpb.KV/Put"
TXN = "/etcdserverpb.KV/Txn"
WATCH = "/etcdserverpb.Watch/Watch"

_LENGTH_DELIMITED = 2


def range_request(key: bytes, *, end: bytes = b"", limit: int = 0, local: bool = True) -> bytes:
    """RangeRequest; `local` is etcd's `serializable`: answered without asking the quorum."""
    bounds = _text(1, key) + (_text(2, end) if end else b"")
    return bounds + _number(3, limit) + _number(7, int(local))


def put_request(key: bytes, value: bytes) -> bytes:
    """PutRequest."""
    return _text(1, key) + _text(2, value)


def txn_request(puts: Iterable[tuple[bytes, bytes]]) -> bytes:
    """TxnRequest without a condition: all puts, one revision."""
    return b"".join(_text(2, _text(2, put_request(key, value))) for key, value in puts)


def watch_request(key: bytes, end: bytes) -> bytes:
    """WatchRequest that creates one watch of a range of keys."""
    return _text(1, _text(1, key) + _text(2, end))


def range_value(answer: bytes) -> bytes:
    """Give the value of the first pair of a RangeResponse."""
    pair = fields(answer)[2]
    return fields(pair)[5]


def fields(message: bytes) -> Mapping[int, bytes]:
    """Read the first length-delimited field of each number."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        length, at = _read_varint(message, at)
        if tag & 7 == _LENGTH_DELIMITED:
            found.setdefault(tag >> 3, message[at : at + length])
            at += length
    return found


def _text(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(value)) + value


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value) if value else b""


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
