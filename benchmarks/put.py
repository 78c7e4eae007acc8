"""Durable Puts: ours on SQLite and PostgreSQL, a Put that stores nothing, etcd, raw commits.

Each server is a process of its own on loopback. The same compiled client (load/h2grpc.c) sends the
same documents to each; it writes the time into every task of the document as it sends it, so that
every Put is a new definition (for us a new version, for etcd a new value). All commits are durable:
etcd syncs its log, SQLite runs with synchronous=FULL, PostgreSQL with fsync=on. "nothing" is our own
server whose commit stores nothing (benchmarks/nothing.py); "raw" rows are what the database does
without any service (benchmarks/raw_commits.py), one a commit or 64. In every round all competitors
take their turn for a few seconds, after 0.4 s of warm-up; ratios are those of one round.
At the end our servers must hold as many revisions as were acknowledged.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import etcd_wire, wire
from benchmarks.load_client import target
from benchmarks.peers import Peer, end_cleanly, running_catalog, running_etcd
from benchmarks.raw_commits import Insert, postgres_rows, raw_work, sqlite_rows
from benchmarks.results import Goal, Results
from benchmarks.rounds import measure
from benchmarks.turns import Competitor, take_turn
from tests.support.postgres import running_postgres

BATCH = 100
DAGS = {"2 KB": 1_000, "60 KB": 100}
RAW_ROWS = 1_024
GOALS = (
    Goal("2 KB, c=64", "calls/s", "SQLite", "nothing", 0.85),
    Goal("2 KB, c=64", "calls/s", "PostgreSQL", "nothing", 0.85),
    Goal("60 KB, c=64", "calls/s", "SQLite", "etcd", 0.9),
    Goal("60 KB, c=64", "calls/s", "PostgreSQL", "etcd", 0.6),
    Goal("batch", "calls/s", "SQLite", "etcd", 0.6),
)


@dataclass(frozen=True)
class Case:
    """What is sent to all: one kind of request, so many at a time."""

    name: str
    concurrency: int
    competitors: Sequence[Competitor]


def main() -> None:
    """Measure, print, and write results/put.json and results/put.svg."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--concurrency", nargs="*", type=int, default=[1, 16, 64])
    parser.add_argument("--sizes", nargs="*", default=list(DAGS))
    parser.add_argument("--only", nargs="*", default=["SQLite", "PostgreSQL", "nothing", "etcd"])
    parser.add_argument("--no-batch", action="store_true")
    parser.add_argument("--no-raw", action="store_true")
    given = parser.parse_args()
    end_cleanly()
    results, acknowledged = Results("Put, durable"), Counter[str]()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        peers, raw = _start(stack, folder)
        peers = {name: peer for name, peer in peers.items() if name in given.only}
        cases = [
            Case(f"{size}, c={concurrency}", concurrency, _puts(peers, folder, size))
            for size in given.sizes
            for concurrency in given.concurrency
        ]
        if not given.no_batch:
            batches = _batches(peers, folder)
            cases += [Case(f"batch of {BATCH}, c={c}", c, batches) for c in (1, 16)]
        for _ in range(given.rounds):
            for case in cases:
                for one in case.competitors:
                    run = take_turn(
                        results, case.name, one, concurrency=case.concurrency, seconds=given.seconds
                    )
                    acknowledged[one.name] += run.all_calls
            if not given.no_raw:
                _raw_round(results, raw)
        for name in {"SQLite", "PostgreSQL"} & peers.keys():
            _check_kept(peers[name], acknowledged[name])
    results.print_table()
    results.print_goals(GOALS)
    print(results.write("put", GOALS, plot="calls/s"))


def _raw_round(results: Results, raw: dict[str, Insert]) -> None:
    for size in DAGS:
        for name, insert in raw.items():
            for group in (1, 64):
                rows = RAW_ROWS if group > 1 else RAW_ROWS // 4
                work = raw_work(insert, tasks=wire.SIZES[size], group=group, rows=rows)
                rates = measure({name: work}, rounds=1)[name]
                results.add(f"raw rows, {size}", f"{name}, {group} a commit", {"rows/s": rates[0]})


def _start(stack: ExitStack, folder: Path) -> tuple[dict[str, Peer], dict[str, Insert]]:
    database = stack.enter_context(running_postgres(durable=True))
    for name in ("bench", "raw"):
        database.execute(f"CREATE DATABASE {name}")
    nothing = running_catalog(folder, "memory://", name="nothing", module="benchmarks.nothing")
    peers = {
        "SQLite": stack.enter_context(running_catalog(folder, name="sqlite")),
        "nothing": stack.enter_context(nothing),
        "PostgreSQL": stack.enter_context(
            running_catalog(folder, database.url("bench"), name="postgres")
        ),
        "etcd": stack.enter_context(running_etcd(folder)),
    }
    raw = {
        "SQLite": stack.enter_context(sqlite_rows(folder / "raw.db")),
        "PostgreSQL": stack.enter_context(postgres_rows(database.url("raw"))),
    }
    return peers, raw


def _puts(peers: dict[str, Peer], folder: Path, size: str) -> list[Competitor]:
    documents = _documents(size, range(DAGS[size]))
    ours = [wire.put_request(dag_id, raw) for dag_id, raw in documents.items()]
    theirs = [etcd_wire.put_request(dag_id.encode(), raw) for dag_id, raw in documents.items()]
    return _competitors(peers, folder, (wire.PUT, ours), (etcd_wire.PUT, theirs))


def _batches(peers: dict[str, Peer], folder: Path) -> list[Competitor]:
    sets = [
        _documents("2 KB", range(start, start + BATCH)) for start in range(0, DAGS["2 KB"], BATCH)
    ]
    ours = [wire.put_batch_request(documents) for documents in sets]
    theirs = [
        etcd_wire.txn_request((dag_id.encode(), raw) for dag_id, raw in documents.items())
        for documents in sets
    ]
    return _competitors(peers, folder, (wire.PUT_BATCH, ours), (etcd_wire.TXN, theirs))


def _competitors(
    peers: dict[str, Peer],
    folder: Path,
    ours: tuple[str, Sequence[bytes]],
    theirs: tuple[str, Sequence[bytes]],
) -> list[Competitor]:
    """Give every peer its method and its requests."""
    made = []
    for name, peer in peers.items():
        path, requests = theirs if name == "etcd" else ours
        made.append(Competitor(name, target(peer.address, path, folder, requests), (peer,)))
    return made


def _documents(size: str, numbers: range) -> dict[str, bytes]:
    ids = [f"{size.replace(' ', '')}_{number:04}" for number in numbers]
    return {dag_id: wire.stamped_document(dag_id, wire.SIZES[size]) for dag_id in ids}


def _check_kept(peer: Peer, acknowledged: int) -> None:
    revision = wire.revision(peer.address)
    if revision != acknowledged:
        raise RuntimeError(f"{peer.name}: {acknowledged} Puts acknowledged, revision {revision}")
    print(f"{peer.name}: {acknowledged:,} writes acknowledged, as many revisions")


if __name__ == "__main__":
    main()
