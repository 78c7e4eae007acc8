"""Page tokens: opaque to clients, bound to their request and to one revision."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from dagcatalog_server.catalog.errors import InvalidArgument

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1_000


def check_page_size(page_size: int) -> int:
    """Return the page size to use: 100 for 0, at most 1,000 (AIP-158)."""
    if page_size < 0:
        raise InvalidArgument("page_size", f"must not be negative, but is {page_size}")
    return min(page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def make_token(request: object, content: Mapping[str, Any]) -> str:
    """Make a token that continues `request` (anything with a stable repr)."""
    told = json.dumps([_fingerprint(request), content], separators=(",", ":"))
    return base64.urlsafe_b64encode(told.encode()).decode()


def read_token(request: object, token: str) -> Mapping[str, Any] | None:
    """Read a token; None for an empty one.

    Raises:
        InvalidArgument: not a token of ours, or of another request.

    """
    if not token:
        return None
    try:
        fingerprint, content = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise InvalidArgument("page_token", "is not a token of this service") from error
    if fingerprint != _fingerprint(request) or not isinstance(content, dict):
        raise InvalidArgument(
            "page_token",
            "belongs to another request: only page_size may differ between pages",
        )
    return content


def _fingerprint(request: object) -> str:
    return hashlib.sha256(repr(request).encode()).hexdigest()[:16]
