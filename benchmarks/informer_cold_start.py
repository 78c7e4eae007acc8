"""Cold start of an informer with 10,000 DAGs of 6 KB, and what it takes with a disk cache.

`seconds`: from the start of the informer to a synced local copy with every document, next to a client
in Python that reads the same bytes raw and decodes nothing: from our server (`raw watch`), and from a
server that only sends bytes it has (`bare stream`, benchmarks/echo.py). The catalog is warm: what it
takes to warm it is in benchmarks/cold_start.py. `zstd`: as with the package `zstandard`; `identity`:
without. Each on a connection of its own.

`MB on the wire`: what comes from the server until every document is at hand, counted by a proxy.
`warm`: a snapshot and all documents are on disk, and 100 of the DAGs changed since. `documents only`:
there is no snapshot that can be resumed from, so summaries come and the missing documents.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import cold_start, wire
from benchmarks.filling import dag_name
from benchmarks.frames import write_frames
from benchmarks.peers import Peer, end_cleanly, running_catalog, running_echo
from benchmarks.results import Goal, Results
from dagcatalog_client import Client, Informer
from dagcatalog_client.convert import encodings
from tests.support.cutting_proxy import CuttingProxy
from tests.support.dags import dag_document
from tests.support.home import home

CHANGED = 100
PATIENCE_S = 120.0
GOALS = (
    *(
        Goal(name, "seconds", "informer", peer, 2.0, at_most=True)
        for name in ("identity", "zstd")
        for peer in ("bare stream", "raw watch")
    ),
    *(
        Goal(f"on the wire, {name}", "MB", own, "cold", 0.2, at_most=True)
        for name in ("identity", "zstd")
        for own in ("warm", "documents only")
    ),
)


def main() -> None:
    """Measure, print, and write results/informer_cold_start.json and .svg."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--wire-rounds", type=int, default=2)
    parser.add_argument("--dags", type=int, default=cold_start.DAGS)
    given = parser.parse_args()
    end_cleanly()
    results = Results(f"Cold start of an informer, {given.dags:,} DAGs of 6 KB")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        states = cold_start._prepare(folder, given.dags)
        frames = {
            name: write_frames(folder / f"{name}.frames", cold_start._cut(state))
            for name, state in states.items()
        }
        bare = stack.enter_context(running_echo(folder, {}, frames))
        ours = stack.enter_context(running_catalog(folder, name="sqlite"))
        _warm(ours, states)
        for _ in range(given.rounds):
            for name, state in states.items():
                _add_times(results, name, state, ours=ours, bare=bare)
        for number in range(given.wire_rounds):
            for name in states:
                with _encoding(name):
                    _add_bytes(results, name, folder / f"{name}-{number}", ours)
    results.print_table()
    results.print_goals(GOALS)
    print(results.write("informer_cold_start", GOALS, plot="seconds"))


def _warm(ours: Peer, states: dict[str, bytes]) -> None:
    for name, state in states.items():
        cold_start._read(ours.address, wire.WATCH, cold_start._request(name), len(state))


def _add_times(results: Results, name: str, state: bytes, *, ours: Peer, bare: Peer) -> None:
    size = len(state)
    asked = cold_start._request(name)
    turns: dict[str, Callable[[], float]] = {
        "informer": lambda: _start(ours, name),
        "raw watch": lambda: cold_start._read(ours.address, wire.WATCH, asked, size),
        "bare stream": lambda: cold_start._read(bare.address, f"/bench.Echo/{name}", b"", size),
    }
    for competitor, turn in turns.items():
        taken = turn()
        results.add(name, competitor, {"seconds": taken, "MB/s": size / taken / 1e6})


def _start(ours: Peer, name: str) -> float:
    """Start an informer; return the seconds until all is there."""
    options = {"grpc.use_local_subchannel_pool": 1}
    with _encoding(name), Client(ours.address, channel_options=options) as client:
        client.status()  # connected, as the others are
        informer = Informer(client)
        began = time.perf_counter()
        with informer:
            informer.wait_for_sync(PATIENCE_S)
            taken = time.perf_counter() - began
            if len(informer._documents) != len(informer.list()):
                raise RuntimeError("not every document came")
    return taken


def _add_bytes(results: Results, name: str, cache: Path, ours: Peer) -> None:
    """Start cold, then warm with changes, then warm without a snapshot; count what comes."""
    case = f"on the wire, {name}"
    with home(cache.with_suffix(".home")) as place:
        host, _, port = ours.address.rpartition(":")
        place.tell(lambda proxy: setattr(proxy, "target", (host, int(port))))
        results.add(case, "cold", {"MB": _carried(place.proxy, place.address, cache)})
        with Client(ours.address) as client:
            for number in range(CHANGED):
                dag_id = dag_name(number)
                tag = f"{cache.name}-{time.time_ns()}"
                client.put(dag_id, dag_document(dag_id, tags=[tag]))
        results.add(case, "warm", {"MB": _carried(place.proxy, place.address, cache)})
        for path in (cache / "snapshots").iterdir():
            path.unlink()
        results.add(case, "documents only", {"MB": _carried(place.proxy, place.address, cache)})


def _carried(proxy: CuttingProxy, address: str, cache: Path) -> float:
    """Run an informer until every document is at hand; return the MB that came."""
    before = proxy.answers.carried_bytes
    options = {"grpc.use_local_subchannel_pool": 1}
    with Client(address, channel_options=options) as client:
        position = client.status().position
        with Informer(client, folder=cache) as informer:
            informer.wait_for_sync(PATIENCE_S)
            informer.wait_for(position, PATIENCE_S)
            for summary in informer.list():
                while not informer._is_here(summary.content_hash):
                    time.sleep(0.01)
    return (proxy.answers.carried_bytes - before) / 1e6


@contextmanager
def _encoding(name: str) -> Iterator[None]:
    """Make the client one without the package `zstandard`, or with it."""
    kept = sys.modules.get("zstandard")
    if name == "identity":
        sys.modules["zstandard"] = None  # type: ignore[assignment]  # not to be imported
    encodings._decompress.cache_clear()
    try:
        yield
    finally:
        if kept is None:
            sys.modules.pop("zstandard", None)
        else:
            sys.modules["zstandard"] = kept
        encodings._decompress.cache_clear()


if __name__ == "__main__":
    main()
