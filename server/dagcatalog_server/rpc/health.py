"""grpc.health.v1: readiness and liveness, on the API's port and on the plaintext one for probes."""

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

LIVENESS = "liveness"
"""Ask for this service in a liveness probe: it is SERVING for as long as the process answers."""


class Health:
    """What probes are told: "" and the service's name are readiness, "liveness" is what it says."""

    def __init__(self, service: str) -> None:
        self._servicer = health.aio.HealthServicer()
        self._ready_names = ("", service)

    def add_to(self, server: grpc.aio.Server) -> None:
        """Serve health checks on a server."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    async def set_ready(self, *, ready: bool) -> None:
        """Say whether new calls should come here."""
        serving = health_pb2.HealthCheckResponse.SERVING
        told = serving if ready else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in self._ready_names:
            await self._servicer.set(name, told)
        await self._servicer.set(LIVENESS, serving)
