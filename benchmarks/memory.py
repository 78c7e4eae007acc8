"""What a server holds in memory: documents that are hot, and the summaries of very many DAGs.

`hot documents`: 10,000 DAGs of 6 KB (63 MB) are read again and again by the compiled client, each in
turn, under several settings of `cache_bytes`; the figure is the process's memory after that, less
that of the same server with a setting of 1 MiB after the same reads. It must stay under the setting.
`summaries`: a server on a catalog of 100,000 DAGs that all have been listed; the whole process.
"""

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks import wire
from benchmarks.filling import dag_name, fill
from benchmarks.load_client import run_calls, target
from benchmarks.peers import Peer, end_cleanly, running_catalog
from benchmarks.results import Goal, Results
from dagcatalog.v1 import catalog_service_pb2 as pb

MIB = 1024**2
DAGS, TASKS = 10_000, 10
MANY = 100_000
CAPS_MIB = (16, 32, 64, 256)
LEAST_MIB = 1
GOALS = (
    *(
        Goal(f"hot documents, cap {cap} MiB", "MiB", "held", "cap", 1.0, at_most=True)
        for cap in CAPS_MIB
    ),
    Goal("summaries", "MiB", "held", "cap", 1.0, at_most=True),
)


def main() -> None:
    """Measure, print, and write results/memory.json and results/memory.svg."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--many", type=int, default=MANY)
    given = parser.parse_args()
    end_cleanly()
    results = Results("Memory of a server")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        with running_catalog(folder, name="hot") as ours:
            fill(ours.address, DAGS, TASKS)
        with running_catalog(folder, name="many") as ours:
            fill(ours.address, given.many, 1)
        for _ in range(given.rounds):
            least = _held_with(folder, LEAST_MIB)
            for cap in CAPS_MIB:
                case = f"hot documents, cap {cap} MiB"
                results.add(case, "held", {"MiB": (_held_with(folder, cap) - least) / MIB})
                results.add(case, "cap", {"MiB": float(cap)})
            with running_catalog(folder, name="many") as ours:
                results.add("summaries", "held", {"MiB": _list_all(ours, given.many) / MIB})
            results.add("summaries", "cap", {"MiB": 400e6 / MIB})
    results.print_table()
    results.print_goals(GOALS)
    print(results.write("memory", GOALS, plot="MiB"))


def _held_with(folder: Path, cap_mib: int) -> int:
    with running_catalog(folder, name="hot", cache_bytes=cap_mib * MIB) as ours:
        return _read_all(ours, folder)


def _read_all(ours: Peer, folder: Path) -> int:
    """Read every DAG several times, 16 at once; return the server's memory."""
    requests = [wire.get_request(dag_name(number)) for number in range(DAGS)]
    to = target(ours.address, wire.GET, folder, requests)
    calls = 0
    while calls < 3 * DAGS:
        calls += run_calls(to, concurrency=16, seconds=10).all_calls
    return ours.rss_bytes()


def _list_all(ours: Peer, dags: int) -> int:
    """List every DAG, 1,000 a page; return the server's memory."""
    token, seen = "", 0
    while seen == 0 or token:
        asked = pb.ListRequest(namespace="default", page_size=1_000, page_token=token)
        answer = wire.call_once(ours.address, wire.LIST, asked.SerializeToString())
        page = pb.ListResponse.FromString(answer)
        token, seen = page.next_page_token, seen + len(page.dags)
    if seen != dags:
        raise RuntimeError(f"{seen} DAGs listed of {dags}")
    return ours.rss_bytes()


if __name__ == "__main__":
    main()
