"""grpc.health.v1: readiness and liveness, on the API's port and on the plaintext one for probes."""

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

LIVENESS = "liveness"
"""Ask for this service in a liveness probe: it is SERVING for as long as the process answers."""


class Health:
    """What probes are told: "" and the service's name are readiness, "liveness" is what it says."""

    def __init__(self, service: str) -> None:
        self._servicer = health.aio.HealthServicer()
        self._ready_names = ("", service)
        self._ready = False
        self._reached = True

    def add_to(self, server: grpc.aio.Server) -> None:
        """Serve health checks on a server."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    async def set_ready(self, *, ready: bool) -> None:
        """Say whether the server takes new calls; while it drains it does not."""
        self._ready = ready
        await self._tell()

    async def set_reached(self, reached: bool) -> None:  # noqa: FBT001 - it is all there is to say
        """Say whether the database answers; without it the server lives, but is not ready."""
        if reached != self._reached:
            self._reached = reached
            await self._tell()

    async def _tell(self) -> None:
        told = _SERVING if self._ready and self._reached else _NOT_SERVING
        for name in self._ready_names:
            await self._servicer.set(name, told)
        await self._servicer.set(LIVENESS, _SERVING)
