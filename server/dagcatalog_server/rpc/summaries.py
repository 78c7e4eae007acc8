"""Summaries of changes as the wire has them: encoded once for the answer, the heads and the watches."""

from functools import lru_cache

from dagcatalog_server.catalog.model import Change
from dagcatalog_server.rpc import answers

MAX_CHANGES = 512  # what was committed a moment ago: two large groups


def encoded_summary(change: Change) -> bytes:
    """Encode the summary of the state that a change made."""
    return _encode(_This(change))


class _This:
    """A change as the one object that it is: to compare it takes as long as to encode it."""

    __slots__ = ("change",)

    def __init__(self, change: Change) -> None:
        self.change = change

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _This) and other.change is self.change

    def __hash__(self) -> int:
        return id(self.change)  # held by the cache as long as it is a key there


@lru_cache(MAX_CHANGES)
def _encode(this: _This) -> bytes:
    change = this.change
    return answers.summary(change.revision, change.state).SerializeToString()
