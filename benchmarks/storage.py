"""What 1,000 versions of a 60 KB DAG cost on disk when each changes one task, kept whole or as differences.

Twice: with the documents of the other benchmarks, and with tasks whose texts are all different, which
compress a third as well. Sizes are of the SQLite file after its checkpoint, and of PostgreSQL's
tables with their indexes and TOAST, not vacuumed by hand.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import psycopg2

from benchmarks.documents import dag_document
from benchmarks.results import Results
from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.ports import Store
from dagcatalog_server.catalog.writes import (
    PutItem,
    PutOperation,
    Write,
    WriteLimits,
    prepare_put,
)
from dagcatalog_server.store.postgres import open_postgres
from dagcatalog_server.store.schema import migrate
from dagcatalog_server.store.sqlite import open_sqlite
from tests.support.postgres import running_postgres

TASKS = 100
LIMITS = WriteLimits()
GOAL_MB = 10.0
SIZE = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"

Opened = tuple[Store, Callable[[], int]]
"""A store, and what tells its size on disk once it is closed."""


def main() -> None:
    """Print megabytes on disk; write them as JSON."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--versions", type=int, default=1_000)
    arguments.add_argument("--rounds", type=int, default=3)
    given = arguments.parse_args()
    results = Results("storage")
    with tempfile.TemporaryDirectory() as folder, running_postgres() as cluster:
        for number in range(given.rounds):
            for store in ("sqlite", "postgresql"):
                for texts in ("alike", "different"):
                    for way in ("whole", "differences"):
                        name = f"{store}_{texts}_{way}_{number}"
                        if store == "sqlite":
                            opened = _sqlite(Path(folder) / f"{name}.db")
                        else:
                            cluster.execute(f"CREATE DATABASE {name}")
                            opened = _postgres(cluster.url(name))
                        size_mb = _fill(opened, texts, way, given.versions, seed=number) / 1e6
                        results.add(f"{store}, texts {texts}", way, {"MB": size_mb})
    results.print_table()
    for case in results.figures:
        worst = max(results.figures[case]["differences"]["MB"])
        print(f"{case}: {worst:.1f} MB of {GOAL_MB:g}: {'ok' if worst < GOAL_MB else 'MISSED'}")
    results.write("storage", plot="MB")


@contextmanager
def _opened(opened: Opened) -> Iterator[Catalog]:
    store, _ = opened
    try:
        yield Catalog(store, limits=LIMITS)
    finally:
        store.close()


def _fill(opened: Opened, texts: str, way: str, versions: int, *, seed: int) -> int:
    with _opened(opened) as catalog:
        for raw in _versions(texts, versions, Random(seed)):
            operation = prepare_put("default", PutItem("bench", raw), LIMITS)
            if way == "whole":
                operation = _unlike(operation)
            catalog.commit([Write("default", "bench", (operation,))])
    return opened[1]()


def _unlike(operation: PutOperation) -> PutOperation:
    """Let the store not know which DAG the document is of: it is kept whole then."""
    return replace(operation, document=replace(operation.document, like=None))


def _versions(texts: str, count: int, random: Random) -> Iterator[bytes]:
    tree = json.loads(dag_document("bench", TASKS))
    tasks: list[dict[str, Any]] = [task["__var"] for task in tree["dag"]["tasks"]]
    if texts == "different":
        for task in tasks:
            task["doc_md"] = _sentence(random, 27)
            task["bash_command"] = _sentence(random, 9)
    for _ in range(count):
        random.choice(tasks)["bash_command"] = _sentence(random, 9)
        yield json.dumps(tree, sort_keys=True, separators=(",", ":")).encode()


def _sentence(random: Random, words: int) -> str:
    vocabulary = ("load", "store", "partition", "{{ ds }}", "--table", "orders", "retry", "count")
    return " ".join(f"{random.choice(vocabulary)}{random.randrange(1_000)}" for _ in range(words))


def _sqlite(path: Path) -> Opened:
    return open_sqlite(path), lambda: sum(
        each.stat().st_size for each in path.parent.glob(f"{path.name}*")
    )


def _postgres(url: str) -> Opened:
    migrate(url)

    def size() -> int:
        connection = psycopg2.connect(url)
        with connection, connection.cursor() as cursor:
            cursor.execute(SIZE)
            found: int = cursor.fetchone()[0]  # type: ignore[index]  # an aggregate has a row
        connection.close()
        return int(found)

    return open_postgres(url), size


if __name__ == "__main__":
    main()
