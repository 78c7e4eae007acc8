"""Where the catalog is: from arguments, else from the environment, else on this machine."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

ADDRESS_VARIABLE = "DAGCATALOG_ADDRESS"
NAMESPACE_VARIABLE = "DAGCATALOG_NAMESPACE"
DEFAULT_ADDRESS = "127.0.0.1:50051"
DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client is set to."""

    address: str
    """gRPC target: `host:port`, or `dns:///name:port` for all replicas behind a name."""
    namespace: str
    """Airflow deployment that calls mean when they name none."""


def resolve(
    address: str | None,
    namespace: str | None,
    *,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Fill in what the arguments leave out."""
    return Settings(
        address=address or environ.get(ADDRESS_VARIABLE) or DEFAULT_ADDRESS,
        namespace=namespace or environ.get(NAMESPACE_VARIABLE) or DEFAULT_NAMESPACE,
    )
