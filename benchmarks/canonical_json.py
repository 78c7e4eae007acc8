"""How fast a document is brought into canonical form, next to Python's `json` alone."""

import json
from collections.abc import Callable

from benchmarks.documents import dag_document
from benchmarks.rounds import Work, measure, report
from dagcatalog_server.catalog.canonical import DocumentLimits, canonicalize

LIMITS = DocumentLimits()
SIZES = {"2 KB": 3, "60 KB": 100, "600 KB": 1_000}


def main() -> None:
    """Print a table for each size of document."""
    for size, tasks in SIZES.items():
        canonical = dag_document("bench", tasks)
        loose = json.dumps(json.loads(canonical)).encode()
        repeat = max(3, 300 // tasks)
        print(f"\n{size} ({len(canonical):,} bytes, {tasks} tasks)")
        rates = measure(
            {
                "json.loads + json.dumps": _times(repeat, _stdlib, canonical),
                "canonicalize, canonical input": _times(repeat, _ours, canonical),
                "canonicalize, other input": _times(repeat, _ours, loose),
            },
            rounds=15,
        )
        report(rates, peer="json.loads + json.dumps", unit="documents/s")


def _stdlib(raw: bytes) -> bytes:
    tree = json.loads(raw)
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _ours(raw: bytes) -> bytes:
    return canonicalize(raw, LIMITS).raw


def _times(count: int, work: Callable[[bytes], bytes], raw: bytes) -> Work:
    def run() -> int:
        for _ in range(count):
            work(raw)
        return count

    return run


if __name__ == "__main__":
    main()
