"""`AsyncClient`: the catalog, for asyncio."""

from dagcatalog_client.shells.aio_consumers import AioConsumers
from dagcatalog_client.shells.aio_graph import AioGraph
from dagcatalog_client.shells.aio_history import AioHistory
from dagcatalog_client.shells.aio_listings import AioListings
from dagcatalog_client.shells.aio_reads import AioReads
from dagcatalog_client.shells.aio_watch import AsyncWatch
from dagcatalog_client.shells.aio_writes import AioWrites

__all__ = ["AsyncClient", "AsyncWatch"]


class AsyncClient(AioWrites, AioReads, AioListings, AioGraph, AioConsumers, AioHistory):
    """The asyncio twin of `Client`: the same names, arguments, defaults and errors.

    It belongs to the event loop of its first call; nothing is opened before that.

    Example:
        ```python
        async with AsyncClient("127.0.0.1:50051") as client:
            print((await client.status()).position)
        ```

    """
