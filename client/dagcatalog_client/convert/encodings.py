"""Documents on the wire: as they are, or in Zstandard where the package `zstandard` is there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_client.errors import InternalError

MAX_DOCUMENT_BYTES = 64 * 1024**2
"""A frame that says more than a message may hold is not unpacked."""


@dataclass(slots=True, eq=False)
class Encoded:
    """A document as it came."""

    raw: bytes
    packed: bool = False
    """In Zstandard."""

    def document(self) -> bytes:
        """Return canonical JSON.

        Raises:
            InternalError: the bytes are damaged.

        """
        return _unpack(self.raw) if self.packed else self.raw


def accepted() -> Sequence["res.DocumentEncoding.ValueType"]:
    """Return the encodings that this client can read, besides IDENTITY."""
    return () if _decompress() is None else (res.DOCUMENT_ENCODING_ZSTD,)


def encoded(dag: res.Dag) -> Encoded:
    """Return a DAG's document as it came."""
    return Encoded(dag.document, dag.document_encoding == res.DOCUMENT_ENCODING_ZSTD)


def document(dag: res.Dag) -> bytes:
    """Return a DAG's document as canonical JSON; empty if the view carries none."""
    return encoded(dag).document() if dag.document else b""


def _unpack(frame: bytes) -> bytes:
    decompress = _decompress()
    if decompress is None:
        raise InternalError("the catalog sent Zstandard, which was not asked for")
    return decompress(frame)


@cache
def _decompress() -> Callable[[bytes], bytes] | None:
    """Look for the package once, at the first call."""
    try:
        import zstandard  # noqa: PLC0415 - the base install does without
    except ImportError:
        return None

    def decompress(frame: bytes) -> bytes:
        try:
            size = zstandard.frame_content_size(frame)
            if not 0 <= size <= MAX_DOCUMENT_BYTES:
                raise InternalError(f"the catalog sent a document of {size} bytes")
            # A decompressor is cheap, and not safe to share between threads.
            return zstandard.ZstdDecompressor().decompress(frame)
        except zstandard.ZstdError as error:
            raise InternalError(f"the catalog sent a damaged document: {error}") from error

    return decompress
