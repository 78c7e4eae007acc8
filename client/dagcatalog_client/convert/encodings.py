"""How documents travel: as they are or, where `zstandard` can be imported, compressed."""

import importlib.util
from collections.abc import Sequence
from functools import cache

from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_client.errors import InternalError

MAX_DOCUMENT_BYTES = 64 * 1024**2
"""A frame that unfolds to more is refused; a message holds as much."""


@cache
def accepted() -> Sequence[res.DocumentEncoding.ValueType]:
    """Return what a request may say that it accepts, besides IDENTITY.

    The base install has no `zstandard`; where another package brings it, documents take a fifth of
    the wire, and the server sends them as they are stored.
    """
    found = importlib.util.find_spec("zstandard") is not None
    return (res.DOCUMENT_ENCODING_ZSTD,) if found else ()


def decoded(raw: bytes, encoding: res.DocumentEncoding.ValueType) -> bytes:
    """Return canonical JSON.

    Raises:
        InternalError: the bytes are not what the server says they are.

    """
    if encoding != res.DOCUMENT_ENCODING_ZSTD:
        return raw
    import zstandard  # noqa: PLC0415 - optional: nothing came in it without

    try:
        frame = zstandard.get_frame_parameters(raw)
        if frame.content_size > MAX_DOCUMENT_BYTES:
            raise InternalError(f"a document of {frame.content_size:,} bytes is over any limit")
        return zstandard.ZstdDecompressor().decompress(raw, max_output_size=MAX_DOCUMENT_BYTES)
    except zstandard.ZstdError as error:
        raise InternalError(f"the catalog sent a document that is no Zstandard: {error}") from error
