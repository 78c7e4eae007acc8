"""Documents on the wire: as they are, or in Zstandard where the package `zstandard` is there."""

from collections.abc import Callable, Sequence
from functools import cache

from dagcatalog.v1 import resources_pb2 as res

MAX_DOCUMENT_BYTES = 64 * 1024**2
"""A frame that says more than a message may hold is not unpacked."""


def accepted() -> Sequence["res.DocumentEncoding.ValueType"]:
    """Return the encodings that this client can read, besides IDENTITY."""
    return () if _decompress() is None else (res.DOCUMENT_ENCODING_ZSTD,)


def document(dag: res.Dag) -> bytes:
    """Return a DAG's document as canonical JSON."""
    raw = dag.document
    if not raw or dag.document_encoding != res.DOCUMENT_ENCODING_ZSTD:
        return raw
    decompress = _decompress()
    if decompress is None:
        raise ValueError("the catalog sent Zstandard, which was not asked for")
    return decompress(raw)


@cache
def _decompress() -> Callable[[bytes], bytes] | None:
    """Look for the package once, at the first call."""
    try:
        import zstandard  # noqa: PLC0415 - the base install does without
    except ImportError:
        return None

    def decompress(frame: bytes) -> bytes:
        size = zstandard.frame_content_size(frame)
        if not 0 <= size <= MAX_DOCUMENT_BYTES:
            raise ValueError(f"a Zstandard frame of {size} bytes")
        # A decompressor is cheap, and not safe to share between threads.
        return zstandard.ZstdDecompressor().decompress(frame)

    return decompress
