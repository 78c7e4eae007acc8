"""Health checks as a kubelet and a load balancer ask them."""

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.waiting import until

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
READINESS = ("", "dagcatalog.v1.CatalogService")


async def check_health(channel: grpc.aio.Channel, service: str) -> int:
    """Ask for the health of a service."""
    stub = health_pb2_grpc.HealthStub(channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
    status: int = answer.status
    return status


async def until_ready(channel: grpc.aio.Channel, *, ready: bool) -> None:
    """Wait until readiness is as told; liveness must be SERVING all the while."""
    wanted = SERVING if ready else NOT_SERVING

    async def is_so() -> bool:
        assert await check_health(channel, "liveness") == SERVING
        return all([await check_health(channel, name) == wanted for name in READINESS])

    await until(is_so)
