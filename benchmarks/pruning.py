"""How long Puts wait beside a prune that drops nearly everything, next to Puts alone."""

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.documents import dag_document
from benchmarks.results import Results
from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.ports import Store
from dagcatalog_server.catalog.pruning import Pruned, PrunePolicy
from dagcatalog_server.catalog.writes import PutItem, Write, WriteLimits, prepare_put
from dagcatalog_server.store.postgres import open_postgres
from dagcatalog_server.store.schema import migrate
from dagcatalog_server.store.sqlite import open_sqlite
from tests.support.postgres import running_postgres

LIMITS = WriteLimits()
DAGS = 1_000
GROUP = 500
ALONE_S = 5.0


def main() -> None:
    """Print milliseconds of Puts, and what the prune did; write them as JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--versions", type=int, default=100_000)
    given = arguments.parse_args()
    results = Results("Puts beside a prune")
    with tempfile.TemporaryDirectory() as folder, running_postgres(durable=True) as cluster:
        cluster.execute("CREATE DATABASE pruning")
        migrate(cluster.url("pruning"))
        for name, store in (
            ("sqlite", open_sqlite(Path(folder) / "bench.db")),
            ("postgresql", open_postgres(cluster.url("pruning"))),
        ):
            _measure(name, store, given.versions, results)
            store.close()
    results.print_table()
    results.write("pruning")


def _measure(name: str, store: Store, versions: int, results: Results) -> None:
    catalog = Catalog(store, limits=LIMITS)
    for start in range(0, versions, GROUP):
        catalog.commit([_write(number) for number in range(start, start + GROUP)])
    with _putting(catalog) as alone_ms:
        time.sleep(ALONE_S)
    results.add(name, "Puts alone", _told(alone_ms))
    with _putting(catalog) as beside_ms:
        began = time.perf_counter()
        done = _prune(catalog)
        took_s = time.perf_counter() - began
    results.add(name, "Puts beside the prune", _told(beside_ms))
    print(f"{name}: dropped {done.versions:,} versions, {done.blobs:,} contents in {took_s:.1f} s")


def _prune(catalog: Catalog) -> Pruned:
    """Prune as the server does: between two steps it rests for as long as one took."""
    began, done = time.perf_counter(), Pruned()
    for step in catalog.prune(PrunePolicy(keep_versions=2)):
        done = step
        time.sleep(time.perf_counter() - began)
        began = time.perf_counter()
    return done


@contextmanager
def _putting(catalog: Catalog) -> Iterator[list[float]]:
    """Put one DAG after the other meanwhile; gives the milliseconds of each."""
    ended, taken_ms = threading.Event(), list[float]()

    def put_on() -> None:
        number = 10_000_000 + int(time.time() * 1000)
        while not ended.is_set():
            number += 1
            write = _write(number)
            began = time.perf_counter()
            catalog.commit([write])
            taken_ms.append((time.perf_counter() - began) * 1000)

    thread = threading.Thread(target=put_on)
    thread.start()
    try:
        yield taken_ms
    finally:
        ended.set()
        thread.join()


def _told(taken_ms: list[float]) -> dict[str, float]:
    ordered = sorted(taken_ms)
    return {
        "Puts": len(ordered),
        "p50 ms": ordered[len(ordered) // 2],
        "p99 ms": ordered[len(ordered) * 99 // 100],
        "max ms": ordered[-1],
    }


def _write(number: int) -> Write:
    dag_id = f"dag_{number % DAGS:04}"
    item = PutItem(dag_id, dag_document(dag_id, 2, salt=str(number)))
    return Write("default", "bench", (prepare_put("default", item, LIMITS),))


if __name__ == "__main__":
    main()
