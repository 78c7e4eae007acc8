"""The options of a channel, the same for both shells."""

import json
from collections.abc import Mapping

from dagcatalog_client.version import __version__

MAX_MESSAGE_BYTES = 64 * 1024**2
"""Both ways; the largest document is 16 MiB, a batch holds several."""

KEEPALIVE_INTERVAL_MS = 30_000
KEEPALIVE_TIMEOUT_MS = 10_000
"""A peer that vanished is noticed within 30 + 10 s; pings are sent during calls only."""

CONNECT_INTERVAL_MS = 1_000
"""The longest wait between two attempts to connect (grpc's own default is two minutes): shorter than
the retries of a call last, so that a call survives a server that is just back."""
CONNECT_TIMEOUT_MS = 4_000
"""Of one attempt: a first packet that was lost is sent again after 1 and 3 s."""

ATTEMPTS = 5  # grpc allows no more
"""The first call and four retries, after about 0.1, 0.2, 0.4 and 0.8 s (grpc adds ±20 % jitter)."""

ChannelOption = tuple[str, str | int]


def options(overrides: Mapping[str, str | int]) -> tuple[ChannelOption, ...]:
    """Return grpc's channel arguments; `overrides` wins."""
    return tuple({**_defaults(), **overrides}.items())


def _defaults() -> Mapping[str, str | int]:
    return {
        "grpc.service_config": service_config(),
        "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
        "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
        # A request over this buffer (256 KiB by default) would never be retried.
        "grpc.per_rpc_retry_buffer_size": MAX_MESSAGE_BYTES,
        "grpc.keepalive_time_ms": KEEPALIVE_INTERVAL_MS,
        "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
        # Newer grpc gives a ping a minute, whatever the keepalive's timeout says.
        "grpc.http2.ping_timeout_ms": KEEPALIVE_TIMEOUT_MS,
        # A watch sends nothing: the default of two pings without data would end its keepalive.
        "grpc.http2.max_pings_without_data": 0,
        "grpc.initial_reconnect_backoff_ms": CONNECT_INTERVAL_MS // 8,
        "grpc.max_reconnect_backoff_ms": CONNECT_INTERVAL_MS,
        "grpc.min_reconnect_backoff_ms": CONNECT_TIMEOUT_MS,
        "grpc.primary_user_agent": f"dagcatalog-client/{__version__}",
    }


def service_config() -> str:
    """Return grpc's service config: every replica in turn, retries on UNAVAILABLE only.

    Writes are retried too: each carries a request_id, and the server answers a repeated one with
    its first outcome. https://github.com/grpc/grpc/blob/master/doc/service_config.md
    """
    retries = {
        "maxAttempts": ATTEMPTS,
        "initialBackoff": "0.1s",
        "maxBackoff": "2s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    method = {
        "name": [{"service": "dagcatalog.v1.CatalogService"}],
        "retryPolicy": retries,
    }
    return json.dumps({"loadBalancingConfig": [{"round_robin": {}}], "methodConfig": [method]})
