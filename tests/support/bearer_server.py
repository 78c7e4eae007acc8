"""A gRPC server that answers Status and nothing else, to callers whose token it knows."""

from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res

SERVICE = "dagcatalog.v1.CatalogService"


@dataclass
class BearerServer:
    """Refuses tokens that it does not know, and those that may not ask."""

    known: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    seen: list[str] = field(default_factory=list)
    """The authorization header of each call; empty: it had none."""
    address: str = ""

    def status(self, _: pb.StatusRequest, context: grpc.ServicerContext) -> pb.StatusResponse:
        header = str(dict(context.invocation_metadata()).get("authorization", ""))
        self.seen.append(header)
        token = header.removeprefix("Bearer ")
        if token in self.denied:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "reader is not enough")
        if token not in self.known:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token has expired")
        return pb.StatusResponse(position=res.Position(epoch="e", revision=1), store="memory")


@contextmanager
def bearer_server(
    *known: str, certificate: tuple[Path, Path] | None = None
) -> Iterator[BearerServer]:
    """Serve on a free port of the loopback; with a certificate, by TLS."""
    served = BearerServer(set(known))
    server = grpc.server(futures.ThreadPoolExecutor(2))
    status = grpc.unary_unary_rpc_method_handler(
        served.status, pb.StatusRequest.FromString, pb.StatusResponse.SerializeToString
    )
    handler = grpc.method_handlers_generic_handler(SERVICE, {"Status": status})
    server.add_generic_rpc_handlers((handler,))
    if certificate is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        chain, key = (path.read_bytes() for path in certificate)
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
    served.address = f"127.0.0.1:{port}"
    server.start()
    try:
        yield served
    finally:
        server.stop(None).wait()
