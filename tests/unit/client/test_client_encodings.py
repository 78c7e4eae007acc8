"""Documents that travel compressed come out as they were; what is no document is refused."""

import subprocess
import sys

import pytest
import zstandard

from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_client import InternalError
from dagcatalog_client.convert import encodings
from dagcatalog_client.convert.encodings import Encoded

ZSTD = res.DOCUMENT_ENCODING_ZSTD


def test_what_is_compressed_is_unfolded() -> None:
    raw = b'{"a":1}' * 1_000
    assert Encoded(zstandard.compress(raw), packed=True).document() == raw
    assert Encoded(raw).document() is raw
    assert tuple(encodings.accepted()) == (ZSTD,)


@pytest.mark.parametrize(
    "raw",
    [
        b"no frame at all",
        zstandard.compress(b"x" * 100)[:-3],
        zstandard.compress(b"\0" * (encodings.MAX_DOCUMENT_BYTES + 1)),
    ],
)
def test_what_is_no_document_is_refused_within_bounds(raw: bytes) -> None:
    with pytest.raises(InternalError):
        Encoded(raw, packed=True).document()


def test_without_zstandard_nothing_is_accepted() -> None:
    program = (
        "import sys; sys.modules['zstandard'] = None\n"  # as if it were not installed
        "from dagcatalog_client.convert import encodings\n"
        "assert tuple(encodings.accepted()) == ()"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
