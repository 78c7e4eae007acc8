"""What sharing a transaction is worth: durable Puts of 2 KB on SQLite, alone and in groups."""

import itertools
import tempfile
from pathlib import Path

from benchmarks.documents import dag_document
from benchmarks.rounds import Work, measure, report
from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.writes import PutItem, Write, WriteLimits, prepare_put
from dagcatalog_server.store.sqlite import open_sqlite

LIMITS = WriteLimits()
WRITES_A_ROUND = 256


def main() -> None:
    """Print Puts a second for groups of 1, 16 and 64."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_sqlite(Path(folder) / "bench.db")
        numbers = itertools.count()
        catalog = Catalog(store, limits=LIMITS)
        rates = measure(
            {f"groups of {size}": _puts(catalog, numbers, size) for size in (1, 16, 64)}, rounds=7
        )
        store.close()
    report(rates, peer="groups of 1", unit="Puts/s")


def _puts(catalog: Catalog, numbers: "itertools.count[int]", group: int) -> Work:
    def run() -> int:
        # Preparing is the same for all: only commits are compared.
        writes = [_write(next(numbers)) for _ in range(WRITES_A_ROUND)]
        for start in range(0, len(writes), group):
            catalog.commit(writes[start : start + group])
        return len(writes)

    return run


def _write(number: int) -> Write:
    dag_id = f"dag_{number % 1_000:04}"
    item = PutItem(dag_id, dag_document(dag_id, 3, salt=str(number)))
    return Write("default", "bench", (prepare_put("default", item, LIMITS),))


if __name__ == "__main__":
    main()
