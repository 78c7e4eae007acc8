"""How a blob is packed for keeping, and checked when it is read.

A version mostly repeats the one before it, so a blob may be kept as its difference from a base: a
zstd frame that has the base's bytes as its dictionary. A base is always whole itself: reading takes
one step back at most. When the differences grow, the next blob is kept whole and is the new base
(docs/adr/0005-differences-from-a-whole-blob.md).
"""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

import zstandard

from dagcatalog_server.catalog.errors import BlobCorrupt

MAX_BLOB_BYTES = 256 * 1024**2
"""Bound on what is packed, and on what damaged or hostile bytes can unpack to."""

ZSTD_LEVEL = 3  # 9 times smaller in 0.12 ms per 60 KB document; higher levels gain little

MAX_CALL_BYTES = 1024**2
"""Of what is compressed in one call, which takes as much memory again."""

MIN_DELTA_BYTES = 4 * 1024
"""Smaller blobs are not worth looking for a base: the row that points at them costs as much."""
MAX_DELTA_BYTES = 2 * 1024**2
"""Larger ones are over zstd's window at this level, which would not find what is the same."""
MIN_DELTA_GAIN = 6
"""A difference must be so many times smaller than its base is packed, or the blob is kept whole."""


_of_thread = threading.local()


class Codec(IntEnum):
    """How stored bytes are packed; numbered as in the store."""

    RAW = 0
    ZSTD = 1
    ZSTD_DELTA = 2


@dataclass(frozen=True, slots=True)
class Base:
    """A whole blob that others are told from."""

    hash: str
    raw: bytes
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class Packed:
    """A blob's stored bytes and what is needed to unpack them."""

    codec: Codec
    raw_bytes: int
    data: bytes
    base_hash: str | None = None
    """Names the blob that must be given to `unpack`."""


def pack(raw: bytes, base: Base | None = None) -> Packed:
    """Compress bytes, or leave them if that does not make them smaller.

    With a base, what is kept is the difference, if that is small.

    Raises:
        ValueError: they are over MAX_BLOB_BYTES.

    """
    if base is not None and (difference := pack_difference(raw, base)) is not None:
        return difference
    return pack_whole([raw])[0]


def pack_difference(raw: bytes, base: Base) -> Packed | None:
    """Compress the difference from a base; None: it is not small."""
    _check_size(raw)
    delta = zstandard.ZstdCompressor(level=ZSTD_LEVEL, dict_data=_dictionary(base.raw))
    data = delta.compress(raw)
    if len(data) * MIN_DELTA_GAIN <= base.stored_bytes:
        return Packed(Codec.ZSTD_DELTA, len(raw), data, base.hash)
    return None


def pack_whole(raws: Sequence[bytes]) -> list[Packed]:
    """Compress many at once, without the interpreter's lock, and leave those that do not get smaller.

    Raises:
        ValueError: one is over MAX_BLOB_BYTES.

    """
    for raw in raws:
        _check_size(raw)
    return [
        _smaller(raw, data)
        for part in _parts(raws)
        for raw, data in zip(part, _compress(part), strict=True)
    ]


def _parts(raws: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Cut so that what is compressed in one call is bounded; a larger one is alone."""
    part: list[bytes] = []
    size = 0
    for raw in raws:
        if part and size + len(raw) > MAX_CALL_BYTES:
            yield part
            part, size = [], 0
        part.append(raw)
        size += len(raw)
    if part:
        yield part


def _compress(raws: Sequence[bytes]) -> Iterator[bytes]:
    sized: list[bytes | bytearray | memoryview] = [raw for raw in raws if raw]
    made = iter(_compressor().multi_compress_to_buffer(sized) if sized else ())
    return (next(made).tobytes() if raw else b"" for raw in raws)


def _smaller(raw: bytes, data: bytes) -> Packed:
    if len(data) < len(raw):
        return Packed(Codec.ZSTD, len(raw), data)
    return Packed(Codec.RAW, len(raw), raw)


def _compressor() -> zstandard.ZstdCompressor:
    """Give this thread's own: making one takes longer than compressing a small document."""
    made: zstandard.ZstdCompressor | None = getattr(_of_thread, "compressor", None)
    if made is None:
        made = _of_thread.compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
    return made


def _check_size(raw: bytes) -> None:
    if len(raw) > MAX_BLOB_BYTES:
        raise ValueError(f"a blob of {len(raw)} bytes is over {MAX_BLOB_BYTES}")


def may_have_base(raw: bytes) -> bool:
    """Tell whether a blob's size makes a difference from another worth while."""
    return MIN_DELTA_BYTES <= len(raw) <= MAX_DELTA_BYTES


def unpack(blob_hash: str, packed: Packed, base: bytes | None = None) -> bytes:
    """Give back a blob's bytes; `base` is those of the blob that `packed` names.

    Raises:
        BlobCorrupt: the stored bytes are not what `blob_hash` says.

    """
    raw = _decompressed(blob_hash, packed, base)
    if hashlib.sha256(raw).hexdigest() != blob_hash:
        raise BlobCorrupt(blob_hash, "its bytes have another hash")
    return raw


def _decompressed(blob_hash: str, packed: Packed, base: bytes | None) -> bytes:
    if packed.codec == Codec.RAW:
        return packed.data
    if packed.codec == Codec.ZSTD_DELTA:
        if base is None:
            raise BlobCorrupt(blob_hash, f"its base {packed.base_hash} cannot be read")
        dictionary = _dictionary(base)
    elif packed.codec == Codec.ZSTD:
        dictionary = None
    else:
        raise BlobCorrupt(blob_hash, f"codec {int(packed.codec)} is not known")
    try:
        # The frame's header decides how much memory is taken: look at it before.
        frame_bytes = zstandard.frame_content_size(packed.data)
        if frame_bytes != packed.raw_bytes or frame_bytes > MAX_BLOB_BYTES:
            raise BlobCorrupt(blob_hash, f"it claims to unpack to {frame_bytes} bytes")
        return _decompressor(dictionary).decompress(packed.data)
    except zstandard.ZstdError as error:
        raise BlobCorrupt(blob_hash, f"it does not unpack ({error})") from error


def _decompressor(dictionary: zstandard.ZstdCompressionDict | None) -> zstandard.ZstdDecompressor:
    if dictionary is not None:
        return zstandard.ZstdDecompressor(dict_data=dictionary)
    made: zstandard.ZstdDecompressor | None = getattr(_of_thread, "decompressor", None)
    if made is None:
        made = _of_thread.decompressor = zstandard.ZstdDecompressor()
    return made


def _dictionary(base: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
