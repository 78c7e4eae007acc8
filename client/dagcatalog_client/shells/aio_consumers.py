"""The asyncio calls about consumers."""

from dagcatalog_client.calls import consumers
from dagcatalog_client.model import Position, Propagation
from dagcatalog_client.shells.aio_base import AioShell


class AioConsumers(AioShell):
    """Acknowledge, await propagation."""

    async def acknowledge(
        self,
        consumer_id: str,
        position: Position | int | None,
        *,
        namespace: str | None = None,
        timeout_s: float | None = None,
    ) -> Position:
        """Tell up to which position a consumer has applied what its watch told it.

        A `watch` with that `consumer_id` registers it; the namespace is one that it watches, "-" for
        all of them. None as position says that the consumer leaves: it is waited for no more. Answers
        where the catalog stands, once every replica can know of it (about 0.1 s).

        Raises:
            ConsumerNotFound: no such consumer is registered.
            OutOfRange: the position is in the future, or of another epoch.

        Example:
            ```python
            async with client.watch(initial_state=True, consumer_id="web-1") as watch:
                async for event in watch:
                    await client.acknowledge("web-1", event.position)
                    break
            await client.acknowledge("web-1", None)
            ```

        """
        call = consumers.acknowledge(
            self._caller, consumer_id, position, namespace=namespace, timeout_s=timeout_s
        )
        return await self._unary(self._stub.Acknowledge, call)

    async def await_propagation(
        self,
        position: Position | int | None = None,
        *,
        wait_s: float = 30.0,
        namespace: str | None = None,
        timeout_s: float | None = None,
    ) -> Propagation:
        """Wait until every consumer of the namespace has acknowledged a position, `wait_s` at most.

        The position is where the catalog stands if left out; `wait_s` is 0 to 600. Consumers that
        register meanwhile are waited for too, those that were silent for too long no more. If the
        time is over, the answer names those that lag; that is no error.

        Raises:
            OutOfRange: the position is in the future, or of another epoch.

        Example:
            ```python
            result = await client.put("etl", {"__version": 1, "dag": {"dag_id": "etl", "tasks": []}})
            waited = await client.await_propagation(result.position, wait_s=5.0)
            print(waited.propagated, [one.consumer_id for one in waited.lagging])
            ```

        """
        call = consumers.await_propagation(
            self._caller, position, wait_s=wait_s, namespace=namespace, timeout_s=timeout_s
        )
        return await self._unary(self._stub.AwaitPropagation, call)
