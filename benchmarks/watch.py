"""Write to delivery: how long until every watcher has a document that was written.

Our server on SQLite and on PostgreSQL and etcd, each a process of its own. A writer process sends a
60 KB document every so often, the time of sending inside; a process apart holds 1, 10, 100 or 500
watchers, each on a connection of its own, and takes the time when the last byte of a delivery has
come: so a delivery's latency holds the durable commit, the wake-up and the way out to all. Both
processes are the same compiled client (load/h2grpc.c) for us and for etcd; our watches ask for the
document. The first writes of each run are warm-up; the latencies of all others count. A delivery
that is missing, or comes twice, fails the run. In every round all competitors take their turn. "bare" is a fan-out in
our server's style that stores nothing (benchmarks/echo.py): what Python can do at most.

`across replicas`: written at one replica on PostgreSQL, watched at another, with NOTIFY and without.
"""

import argparse
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import etcd_wire, wire
from benchmarks.load_client import PairNs, Target, command, percentile, read_samples, target
from benchmarks.peers import Peer, end_cleanly, running_catalog, running_echo, running_etcd
from benchmarks.results import Goal, Results
from dagcatalog.v1 import resources_pb2 as res
from tests.support.postgres import running_postgres

WARM_UP_WRITES = 5
DAGS = 20
PACE = {1: (47, 100), 10: (47, 100), 100: (97, 60), 500: (233, 40), 1_000: (487, 30)}
"""Watchers: milliseconds between writes (no multiple of a poll interval), writes."""
LATE_S = 20.0
GOALS = (
    Goal("100 watchers", "p99 ms", "SQLite", "etcd", 1.0, at_most=True),
    Goal("500 watchers", "p99 ms", "SQLite", "etcd", 0.6, at_most=True),
    Goal("100 watchers", "p99 ms", "PostgreSQL", "etcd", 1.2, at_most=True),
    Goal("500 watchers", "p99 ms", "PostgreSQL", "etcd", 0.7, at_most=True),
)


@dataclass(frozen=True)
class Side:
    """Where one competitor is written to, and where it is watched."""

    write: Target
    watch: Target
    peer: Peer
    keep_open: bool = False
    """etcd's Watch is a stream in both directions."""


def main() -> None:
    """Measure, print, and write results/watch.json and results/watch.svg."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--watchers", nargs="*", type=int, default=[1, 10, 100, 500])
    parser.add_argument("--only", nargs="*", default=["SQLite", "PostgreSQL", "etcd", "bare"])
    parser.add_argument("--no-replicas", action="store_true")
    given = parser.parse_args()
    end_cleanly()
    results = Results("Watch: write to delivery, 60 KB")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sides, across = _start(stack, folder, replicas=not given.no_replicas)
        for _ in range(given.rounds):
            for watchers in given.watchers:
                for name in given.only:
                    _add(results, f"{watchers} watchers", name, sides[name], watchers)
            for name, side in across.items():
                _add(results, "across replicas, 10 watchers", name, side, 10)
    results.print_table()
    results.print_goals(GOALS)
    print(results.write("watch", GOALS, plot="p99 ms"))


def _add(results: Results, case: str, name: str, side: Side, watchers: int) -> None:
    used = side.peer.cpu_s()
    latencies = deliveries(side, watchers, folder=side.watch.bodies.parent)
    used = side.peer.cpu_s() - used
    results.add(case, name, {**told(latencies), "cpu µs": used * 1e6 / len(latencies)})


def told(latencies: Sequence[int]) -> dict[str, float]:
    """Sum up latencies in nanoseconds."""
    ordered = sorted(latencies)
    return {
        "p50 ms": percentile(ordered, 0.50) / 1e6,
        "p99 ms": percentile(ordered, 0.99) / 1e6,
        "max ms": ordered[-1] / 1e6,
    }


def deliveries(side: Side, watchers: int, *, folder: Path) -> list[int]:
    """Write at the pace for so many watchers; return each delivery's latency in nanoseconds.

    Raises:
        RuntimeError: a delivery is missing or came twice.

    """
    interval_ms, counted = PACE[watchers]
    writes = WARM_UP_WRITES + counted
    seconds = writes * interval_ms / 1_000 + LATE_S
    watched, written = folder / "watched.samples", folder / "written.samples"
    watching = command(
        side.watch,
        watched,
        "--watch",
        f"--connections={watchers}",
        f"--limit={watchers * writes}",
        f"--seconds={seconds}",
        *(["--keep-open"] if side.keep_open else []),
    )
    writing = command(
        side.write, written, f"--interval-ms={interval_ms}", f"--limit={writes}", "--streams=4"
    )
    with subprocess.Popen(watching, stdout=subprocess.PIPE, text=True) as process:
        time.sleep(1 + watchers / 250)  # until all are connected and registered
        said = subprocess.run(
            [*writing, f"--seconds={seconds}"], check=True, capture_output=True, text=True
        )
        outcome, _ = process.communicate()
    pairs = read_samples(watched)
    _check_complete(pairs, watchers, writes, f"{outcome}{said.stdout}")
    first = sorted({stamp for stamp, _ in pairs})[WARM_UP_WRITES]
    return [arrived - stamp for stamp, arrived in pairs if stamp >= first]


def _check_complete(pairs: Sequence[PairNs], watchers: int, writes: int, said: str) -> None:
    times = Counter(stamp for stamp, _ in pairs)
    if len(times) != writes or set(times.values()) != {watchers}:
        raise RuntimeError(
            f"{watchers} watchers, {writes} writes: {len(times)} writes seen, "
            f"{len(pairs)} deliveries; {said}"
        )


def _start(
    stack: ExitStack, folder: Path, *, replicas: bool
) -> tuple[dict[str, Side], dict[str, Side]]:
    database = stack.enter_context(running_postgres(durable=True))
    for name in ("one", "many", "silent"):
        database.execute(f"CREATE DATABASE {name}")
    etcd = stack.enter_context(running_etcd(folder))
    bare = stack.enter_context(running_echo(folder, {}))
    sqlite = stack.enter_context(running_catalog(folder, name="sqlite"))
    postgres = stack.enter_context(running_catalog(folder, database.url("one"), name="postgres"))
    sides = {
        "SQLite": our_side(sqlite, sqlite, folder),
        "PostgreSQL": our_side(postgres, postgres, folder),
        "etcd": _etcd_side(etcd, folder),
        "bare": _bare_side(bare, folder),
    }
    if not replicas:
        return sides, {}
    pairs = {
        name: tuple(
            stack.enter_context(
                running_catalog(folder, database.url(base), name=f"{base}{n}", notify=notify)
            )
            for n in range(2)
        )
        for name, base, notify in (("NOTIFY", "many", True), ("poll only", "silent", False))
    }
    return sides, {name: our_side(one, other, folder) for name, (one, other) in pairs.items()}


def our_side(written: Peer, watched: Peer, folder: Path) -> Side:
    """Write to one replica, watch (another or the same) with view DOCUMENT."""
    puts = [wire.put_request(dag_id, raw) for dag_id, raw in _documents().items()]
    asked = wire.watch_request(res.DAG_VIEW_DOCUMENT)
    return Side(
        write=target(written.address, wire.PUT, folder, puts),
        watch=target(watched.address, wire.WATCH, folder, [asked]),
        peer=watched,
    )


def _etcd_side(etcd: Peer, folder: Path) -> Side:
    puts = [etcd_wire.put_request(key.encode(), raw) for key, raw in _documents().items()]
    asked = etcd_wire.watch_request(b"watched", b"watchee")
    return Side(
        write=target(etcd.address, etcd_wire.PUT, folder, puts),
        watch=target(etcd.address, etcd_wire.WATCH, folder, [asked]),
        peer=etcd,
        keep_open=True,
    )


def _bare_side(bare: Peer, folder: Path) -> Side:
    return Side(
        write=target(bare.address, "/bench.Echo/Publish", folder, list(_documents().values())),
        watch=target(bare.address, "/bench.Echo/Subscribe", folder, [b""]),
        peer=bare,
    )


def _documents() -> dict[str, bytes]:
    ids = [f"watched_{number:02}" for number in range(DAGS)]
    return {dag_id: wire.stamped_document(dag_id, wire.SIZES["60 KB"]) for dag_id in ids}


if __name__ == "__main__":
    main()
