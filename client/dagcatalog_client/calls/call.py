"""What the calls of one client share, and what one call is."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_client.convert import answers, requests
from dagcatalog_client.position import LastSeen
from dagcatalog_client.settings import Settings

READ_TIMEOUT_S = 15.0
WRITE_TIMEOUT_S = 30.0
BATCH_TIMEOUT_S = 120.0
"""64 MiB at 1 MiB/s, and as long again for the server's work."""

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")
AnswerT = TypeVar("AnswerT")
ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class Call(Generic[RequestT, ResponseT, AnswerT]):
    """One call: what to send, how long to wait, and what to make of the response."""

    request: RequestT
    timeout_s: float | None
    """None: without end, which only a watch is."""
    read: Callable[[ResponseT], AnswerT]


@dataclass(frozen=True, slots=True)
class Page(Generic[ItemT]):
    """One page of anything."""

    items: tuple[ItemT, ...]
    next_page_token: str


class Positioned(Protocol):
    """A response that says where the catalog stood."""

    @property
    def position(self) -> res.Position:
        """Where the catalog stood."""


PositionedT = TypeVar("PositionedT", bound=Positioned)
PagedT = TypeVar("PagedT", pb.ListRequest, pb.ListVersionsRequest, pb.ListParseErrorsRequest)


def _random_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Caller:
    """What the calls of one client share."""

    settings: Settings
    timeout_s: float | None = None
    """Deadline of every call that names none; None: each call's own default."""
    new_request_id: Callable[[], str] = _random_id
    last_seen: LastSeen = field(default_factory=LastSeen)

    def namespace(self, given: str | None) -> str:
        """Return the namespace that a call means."""
        return self.settings.namespace if given is None else given

    def timeout(self, given: float | None, default_s: float) -> float:
        """Return the deadline of a call, from now."""
        if given is not None:
            return given
        return default_s if self.timeout_s is None else self.timeout_s

    def min_position(self) -> res.Position | None:
        """Return what a read must not go behind, so that it sees this client's writes."""
        return requests.optional_position(self.last_seen.position)

    def seeing(self, read: Callable[[PositionedT], AnswerT]) -> Callable[[PositionedT], AnswerT]:
        """Read a response as `read` does, and keep its position."""

        def observe_and_read(response: PositionedT) -> AnswerT:
            if response.position.epoch:
                self.last_seen.observe(answers.position(response.position))
            return read(response)

        return observe_and_read


def following(
    call: Call[PagedT, ResponseT, AnswerT], page_token: str
) -> Call[PagedT, ResponseT, AnswerT]:
    """Return the call for the next page: the same request, but for the token."""
    request = type(call.request)()
    request.CopyFrom(call.request)
    request.page_token = page_token
    return replace(call, request=request)
