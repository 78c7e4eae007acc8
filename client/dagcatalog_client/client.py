"""`Client`: the catalog, for threads."""

from dagcatalog_client.shells.sync_consumers import SyncConsumers
from dagcatalog_client.shells.sync_graph import SyncGraph
from dagcatalog_client.shells.sync_history import SyncHistory
from dagcatalog_client.shells.sync_listings import SyncListings
from dagcatalog_client.shells.sync_reads import SyncReads
from dagcatalog_client.shells.sync_watch import Watch
from dagcatalog_client.shells.sync_writes import SyncWrites

__all__ = ["Client", "Watch"]


class Client(SyncWrites, SyncReads, SyncListings, SyncGraph, SyncConsumers, SyncHistory):
    """A blocking client; safe to share between threads, not across a fork.

    `address` is a gRPC target, `host:port` or `dns:///name:port` for all replicas behind a name, or
    several `host:port` (a sequence, or one text with commas): calls take turns. `namespace` is what
    calls mean that name none. `tls`: True, or a `Tls` that names certificates. `token` is sent as
    a bearer token, over TLS or to this machine only; a `Path` is a file, read again when it changes.
    `context` names a server of the context file. What is left out comes from `DAGCATALOG_*`, then
    from the context, then it is 127.0.0.1:50051, "default", plaintext (docs/reference/connecting.md).
    `timeout_s` is the deadline of calls that name none (15 s for reads, 30 s for writes, 120 s for
    batches if it is left out too). `channel_options` are added to grpc's channel arguments.

    Nothing is opened before the first call. Calls are retried while the catalog is UNAVAILABLE,
    four times within about 1.5 s; writes too, since each carries a request_id. A read is at
    least as new as any answer before it (`position`), whichever replica answers.

    Raises:
        InvalidSettings: they contradict each other, or would send a token in plaintext.

    Example:
        ```python
        with Client("127.0.0.1:50051") as client:
            print(client.status().position)
        ```

    """
