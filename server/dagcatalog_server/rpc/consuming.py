"""Acknowledge and AwaitPropagation: what consumers have applied, and who waits for it."""

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_server.catalog.errors import InvalidArgument
from dagcatalog_server.catalog.model import ConsumerKey, Position
from dagcatalog_server.catalog.names import check_namespace, check_namespace_filter
from dagcatalog_server.catalog.reading import check_position
from dagcatalog_server.consumers.propagation import Propagation
from dagcatalog_server.consumers.registry import ConsumerRegistry, check_consumer_id
from dagcatalog_server.replica.read_index import ReadIndex
from dagcatalog_server.rpc import answers, requests
from dagcatalog_server.rpc.call import Call
from dagcatalog_server.watch.hub import WatchHub


class ConsumingMethods:
    """The part of the service that is about consumers."""

    def __init__(
        self,
        registry: ConsumerRegistry,
        propagation: Propagation,
        hub: WatchHub,
        read_index: ReadIndex,
    ) -> None:
        self._registry = registry
        self._propagation = propagation
        self._hub = hub
        self._read_index = read_index

    async def acknowledge(
        self, request: pb.AcknowledgeRequest, call: Call
    ) -> pb.AcknowledgeResponse:
        """Take down what a consumer has applied, or that it leaves."""
        namespace = check_namespace_filter(request.namespace) or request.namespace
        if not request.consumer_id:
            raise InvalidArgument("consumer_id", "must not be empty")
        key = ConsumerKey(namespace, check_consumer_id(request.consumer_id))
        position = requests.position(request, "position")
        if position is None:
            await self._registry.leave(key)
        else:
            await self._registry.acknowledge(key, await self._checked(position))
        return pb.AcknowledgeResponse(position=answers.position(self._hub.position))

    async def _checked(self, position: Position) -> Position:
        """Refuse a position of another history or of the future; the clock is only asked in doubt."""
        here = self._hub.position
        if position.epoch in {"", here.epoch} and 0 <= position.revision <= here.revision:
            return Position(here.epoch, position.revision)
        clock = await self._read_index.clock()
        check_position(clock, position)
        return Position(clock.epoch, position.revision)

    async def await_propagation(
        self, request: pb.AwaitPropagationRequest, call: Call
    ) -> pb.AwaitPropagationResponse:
        """Wait until every consumer of a namespace has acknowledged a position."""
        lagging = await self._propagation.wait(
            check_namespace(request.namespace),
            requests.position(request, "position"),
            requests.propagation_timeout_s(request),
        )
        return pb.AwaitPropagationResponse(
            propagated=not lagging, lagging=[answers.consumer(one) for one in lagging]
        )
