"""Documents that travel compressed come out as they were; what is no document is refused."""

import subprocess
import sys

import pytest
import zstandard

from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_client import InternalError
from dagcatalog_client.convert import encodings

ZSTD = res.DOCUMENT_ENCODING_ZSTD


def test_what_is_compressed_is_unfolded() -> None:
    raw = b'{"a":1}' * 1_000
    assert encodings.decoded(zstandard.compress(raw), ZSTD) == raw
    assert encodings.decoded(raw, res.DOCUMENT_ENCODING_IDENTITY) is raw
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
        encodings.decoded(raw, ZSTD)


def test_without_zstandard_nothing_is_accepted() -> None:
    program = (
        "import sys, importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'zstandard' else find(name, *rest)\n"
        "from dagcatalog_client.convert import encodings\n"
        "assert tuple(encodings.accepted()) == ()\n"
        "assert 'zstandard' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
