"""Puts messages together from parts that are encoded already (protobuf's wire format).

Parts of one message may be concatenated in any order, so what is the same in many answers is
encoded once and what differs is added beside it.
"""

_LENGTH_DELIMITED = 2
_MORE = 0x80


def field(number: int, content: bytes) -> bytes:
    """Encode a field of type message, bytes or string, of a number below 16."""
    return header(number, len(content)) + content


def header(number: int, length: int) -> bytes:
    """Encode what comes before the content of such a field."""
    return bytes((number << 3 | _LENGTH_DELIMITED,)) + _varint(length)


def renumbered(number: int, encoded: bytes) -> bytes:
    """Give an encoded field of a number below 16 another such number."""
    return bytes((number << 3 | _LENGTH_DELIMITED,)) + encoded[1:]


def _varint(value: int) -> bytes:
    if value < _MORE:
        return bytes((value,))
    encoded = bytearray()
    while value >= _MORE:
        encoded.append(value & (_MORE - 1) | _MORE)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
