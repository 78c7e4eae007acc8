"""How long answers are cut into messages."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

# Large streams travel fastest in messages of about 1 MiB; in 64 KiB ones they take twice as long.
MESSAGE_BYTES = 1024**2

T = TypeVar("T")


def chunk_by_bytes(
    items: Iterable[T], size_of: Callable[[T], int], *, max_bytes: int = MESSAGE_BYTES
) -> Iterator[list[T]]:
    """Cut a sequence so that each part stays near `max_bytes`; a larger item is alone."""
    part: list[T] = []
    size = 0
    for item in items:
        one = size_of(item)
        if part and size + one > max_bytes:
            yield part
            part, size = [], 0
        part.append(item)
        size += one
    if part:
        yield part
