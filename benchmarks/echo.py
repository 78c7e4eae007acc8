"""A bare grpc.aio server on uvloop: what Python can do at most in our server's style.

It answers `/bench.Echo/NAME` with fixed bytes (a file), or with a stream of fixed messages (a file
of gRPC frames), whatever is asked: no decoding, no metadata, no log. Options as in our server.
What is sent to `/bench.Echo/Publish` goes, as it came, to all who have called `/bench.Echo/Subscribe`.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import uvloop

from benchmarks.frames import read_frames

OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 64 * 1024**2),
    ("grpc.max_send_message_length", -1),
)


async def serve(unary: Mapping[str, bytes], streams: Mapping[str, Sequence[bytes]]) -> None:
    """Serve until killed; print the address first."""
    server = grpc.aio.server(options=OPTIONS, maximum_concurrent_rpcs=2_000)
    handlers = {name: _answer(answer) for name, answer in unary.items()}
    handlers |= {name: _answer_stream(answers) for name, answers in streams.items()}
    handlers |= _fan_out()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"ready: grpc=127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


def _answer(answer: bytes) -> "grpc.RpcMethodHandler[Any, Any]":
    async def handle(request: bytes, context: object) -> bytes:  # noqa: ARG001 - grpc's signature
        return answer

    return grpc.unary_unary_rpc_method_handler(handle)


def _answer_stream(answers: Sequence[bytes]) -> "grpc.RpcMethodHandler[Any, Any]":
    async def handle(request: bytes, context: object) -> AsyncIterator[bytes]:  # noqa: ARG001
        for answer in answers:
            yield answer

    return grpc.unary_stream_rpc_method_handler(handle)


class _News:
    """A chain: each piece of news knows where the next will come, so nobody misses one."""

    def __init__(self) -> None:
        self.coming: asyncio.Future[tuple[bytes, _News]] = (
            asyncio.get_running_loop().create_future()
        )


def _fan_out() -> dict[str, "grpc.RpcMethodHandler[Any, Any]"]:
    last = [_News()]

    async def publish(request: bytes, context: object) -> bytes:  # noqa: ARG001
        told, last[0] = last[0], _News()
        told.coming.set_result((request, last[0]))
        return b""

    async def subscribe(request: bytes, context: object) -> AsyncIterator[bytes]:  # noqa: ARG001
        at = last[0]
        while True:
            told, at = await asyncio.shield(at.coming)
            yield told

    return {
        "Publish": grpc.unary_unary_rpc_method_handler(publish),
        "Subscribe": grpc.unary_stream_rpc_method_handler(subscribe),
    }


def main() -> None:
    """Serve `--unary NAME=FILE` and `--stream NAME=FILE`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unary", action="append", default=[])
    parser.add_argument("--stream", action="append", default=[])
    given = parser.parse_args()
    unary = {name: path.read_bytes() for name, path in map(_named, given.unary)}
    streams = {name: read_frames(path) for name, path in map(_named, given.stream)}
    uvloop.run(serve(unary, streams))


def _named(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    return name, Path(path)


if __name__ == "__main__":
    main()
