"""A read of the local copy next to the same read over RPC, of small and large documents.

`informer`: `Informer.get` of a document that is in memory; `RPC`: `Client.get` of the same DAG, on the
same connection and machine, one call after the other in one thread each. The informer's reads are
checked to allocate nothing: neither blocks (`sys.getallocatedblocks`) nor bytes (`tracemalloc`).
"""

import argparse
import gc
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks import wire
from benchmarks.documents import dag_document
from benchmarks.peers import end_cleanly, running_catalog
from benchmarks.results import Goal, Results
from dagcatalog_client import Client, Informer

SIZES = ("2 KB", "600 KB")
GOALS = (
    Goal("2 KB", "calls/s", "informer", "RPC", 200.0),
    Goal("600 KB", "calls/s", "informer", "RPC", 2_000.0),
)
CHECKED_READS = 100_000


def main() -> None:
    """Measure, print, and write results/informer_get.json and results/informer_get.svg."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.5)
    given = parser.parse_args()
    end_cleanly()
    results = Results("A read of the local copy, and over RPC")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = stack.enter_context(running_catalog(folder))
        client = stack.enter_context(Client(ours.address))
        for size in SIZES:
            client.put(size.replace(" ", ""), dag_document(size.replace(" ", ""), wire.SIZES[size]))
        informer = stack.enter_context(Informer(client))
        informer.wait_for_sync(30)
        for _ in range(given.rounds):
            for size in SIZES:
                name = size.replace(" ", "")
                for competitor, get in (("informer", informer.get), ("RPC", client.get)):
                    rate = _rate(lambda: get(name), given.seconds)  # noqa: B023 - called now
                    results.add(size, competitor, {"calls/s": rate, "µs": 1e6 / rate})
        for size in SIZES:
            blocks, grown = _allocated(informer, size.replace(" ", ""))
            print(f"{CHECKED_READS} reads of {size}: {blocks} blocks, {grown} bytes more")
            if blocks > 10 or grown > 10_000:  # the interpreter's own, not one for each read
                raise RuntimeError("a read of the local copy allocates")
    results.print_table()
    results.print_goals(GOALS)
    print(results.write("informer_get", GOALS, plot="calls/s"))


def _rate(read: Callable[[], object], seconds: float) -> float:
    """Read for so long, after a warm-up; give the reads of a second."""
    read()
    calls, batch = 0, 1
    began = time.perf_counter()
    while (taken := time.perf_counter() - began) < seconds:
        for _ in range(batch):
            read()
        calls += batch
        if taken < seconds / 10:
            batch *= 2
    return calls / taken


def _allocated(informer: Informer, name: str) -> tuple[int, int]:
    """Read very often, keep the last one only; give how many blocks and bytes there are more."""
    numbers = list(range(CHECKED_READS))  # the loop's own objects are there before
    informer.get(name)
    gc.collect()
    gc.disable()
    before = sys.getallocatedblocks()
    for _ in numbers:
        informer.get(name)
    blocks = sys.getallocatedblocks() - before
    tracemalloc.start()
    for _ in numbers[:100]:
        informer.get(name)
    tracemalloc.reset_peak()
    start, _ = tracemalloc.get_traced_memory()
    for _ in numbers:
        informer.get(name)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    gc.enable()
    return blocks, peak - start


if __name__ == "__main__":
    main()
