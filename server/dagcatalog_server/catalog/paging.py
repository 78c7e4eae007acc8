"""Page tokens: opaque to clients, bound to their request and to one revision."""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from dagcatalog_server.catalog.errors import InvalidArgument

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1_000
_CHECKSUM_BYTES = 9  # 12 characters of base64


def check_page_size(page_size: int) -> int:
    """Return the page size to use: 100 for 0, at most 1,000 (AIP-158)."""
    if page_size < 0:
        raise InvalidArgument("page_size", f"must not be negative, but is {page_size}")
    return min(page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def make_token(request: object, content: Mapping[str, Any]) -> str:
    """Make a token that continues `request` (anything with a stable repr)."""
    told = json.dumps([_fingerprint(request), content], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_checksum(told) + told).decode()


def read_token(request: object, token: str) -> Mapping[str, Any] | None:
    """Read a token; None for an empty one.

    Raises:
        InvalidArgument: not a token of ours, or of another request.

    """
    if not token:
        return None
    try:
        wire = base64.b64decode(token, altchars=b"-_", validate=True)
    except ValueError as error:
        raise InvalidArgument("page_token", "is not a token of this service") from error
    checksum, told = wire[:_CHECKSUM_BYTES], wire[_CHECKSUM_BYTES:]
    if checksum != _checksum(told):
        raise InvalidArgument("page_token", "is not a token of this service")
    fingerprint, content = json.loads(told)
    if fingerprint != _fingerprint(request):
        raise InvalidArgument(
            "page_token",
            "belongs to another request: only page_size may differ between pages",
        )
    made: Mapping[str, Any] = content
    return made


def _checksum(told: bytes) -> bytes:
    """Tell a token that was cut or changed on its way; it is no secret and guards none."""
    return hashlib.sha256(told).digest()[:_CHECKSUM_BYTES]


def _fingerprint(request: object) -> str:
    return hashlib.sha256(repr(request).encode()).hexdigest()[:16]
