"""Cold start of a watcher: `initial_state` with the documents of 10,000 DAGs of 6 KB.

Ours on SQLite, next to a bare stream of the very bytes that our server sent, cut in 1 MiB messages
(benchmarks/echo.py). One client in Python for both reads raw messages (nothing is decoded) until it
has had as many bytes as the state holds, on a connection of its own. `later` is a watcher that
starts beside a server that runs; `first` is the first one after the server has started, which reads
the database, checks every document against its hash and encodes it: it has no goal, as a bare stream
does nothing of the kind. The server is started anew in every round. `zstd`: the watcher accepts
compressed documents, as they are stored.
"""

import argparse
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc

from benchmarks import wire
from benchmarks.filling import fill
from benchmarks.frames import write_frames
from benchmarks.peers import end_cleanly, running_catalog, running_echo
from benchmarks.results import Goal, Results
from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res

DAGS, TASKS = 10_000, 10
MESSAGE_BYTES = 1024**2
ENCODINGS = {"identity": [], "zstd": [res.DOCUMENT_ENCODING_ZSTD]}
GOALS = (Goal("", "seconds", "later", "bare stream", 2.0, at_most=True),)


def main() -> None:
    """Measure, print, and write results/cold_start.json and results/cold_start.svg."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--dags", type=int, default=DAGS)
    given = parser.parse_args()
    end_cleanly()
    results = Results(f"Initial state of {given.dags:,} DAGs of 6 KB")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        states = _prepare(folder, given.dags)
        streams = {
            name: write_frames(folder / f"{name}.frames", _cut(state))
            for name, state in states.items()
        }
        bare = stack.enter_context(running_echo(folder, {}, streams))
        for _ in range(given.rounds):
            for name, state in states.items():
                with running_catalog(folder, name="sqlite") as ours:
                    asked = _request(name)
                    for turn in ("first", "later"):
                        taken = _read(ours.address, wire.WATCH, asked, len(state))
                        results.add(name, turn, _told(taken, len(state)))
                taken = _read(bare.address, f"/bench.Echo/{name}", b"", len(state))
                results.add(name, "bare stream", _told(taken, len(state)))
    results.print_table()
    results.print_goals(GOALS)
    print(results.write("cold_start", GOALS, plot="seconds"))


def _prepare(folder: Path, dags: int) -> dict[str, bytes]:
    """Fill a catalog; return the bytes of its state as each encoding sends them."""
    with running_catalog(folder, name="sqlite") as ours:
        fill(ours.address, dags, TASKS)
        return {name: _state(ours.address, _request(name), dags) for name in ENCODINGS}


def _state(address: str, asked: bytes, dags: int) -> bytes:
    """Read a state to its SYNCED bookmark, and check that it is whole."""
    seen, raw = 0, bytearray()
    with _open(address) as channel:
        call = _stream(channel, wire.WATCH, asked)
        for message in call:
            event = pb.WatchResponse.FromString(message)
            if event.bookmark.synced:
                break
            raw += message
            seen += sum(bool(dag.document) for dag in event.state.dags)
        call.cancel()
    if seen != dags:
        raise RuntimeError(f"{seen} documents of {dags} in the state")
    return bytes(raw)


def _read(address: str, path: str, asked: bytes, size: int) -> float:
    """Read so many bytes of a stream; return the seconds from the call to the last of them."""
    with _open(address) as channel:
        grpc.channel_ready_future(channel).result(timeout=30)
        began = time.perf_counter()
        call = _stream(channel, path, asked)
        received = 0
        for message in call:
            received += len(message)
            if received >= size:
                break
        taken = time.perf_counter() - began
        call.cancel()
    if received < size:
        raise RuntimeError(f"{path}: {received} bytes of {size}")
    return taken


def _told(taken: float, size: int) -> dict[str, float]:
    return {"seconds": taken, "MB/s": size / taken / 1e6, "MB": size / 1e6}


def _cut(raw: bytes) -> list[bytes]:
    return [raw[start : start + MESSAGE_BYTES] for start in range(0, len(raw), MESSAGE_BYTES)]


def _request(encoding: str) -> bytes:
    return pb.WatchRequest(
        namespaces=["default"],
        view=res.DAG_VIEW_DOCUMENT,
        initial_state=True,
        accept_encodings=ENCODINGS[encoding],
    ).SerializeToString()


def _stream(channel: grpc.Channel, path: str, asked: bytes) -> Any:
    """Call a method that answers with a stream; without serializers it takes and gives bytes."""
    method: Any = channel.unary_stream(path)
    return method(asked)


def _open(address: str) -> grpc.Channel:
    options = (
        ("grpc.max_receive_message_length", -1),
        ("grpc.use_local_subchannel_pool", 1),
    )
    return grpc.insecure_channel(address, options=options)


if __name__ == "__main__":
    main()
