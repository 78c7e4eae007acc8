"""Change to handler: how long until another process's handler hears of a write, next to a bare watch.

A writer puts small DAGs at a steady pace into our server on SQLite; a process of its own follows, in
turn as an informer with a handler, and as a bare watch: the generated stub's stream, each response
decoded by protobuf and looked at no further. Both ask for documents. A latency is from the start of
the Put to the moment when the handler is called, or the response is there, so it holds the commit.
The first writes of each turn are warm-up. A change that is missing or comes twice fails the run.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.documents import dag_document
from benchmarks.load_client import percentile
from benchmarks.peers import end_cleanly, running_catalog
from benchmarks.results import Goal, Results
from dagcatalog_client import Client

WARM_UP_WRITES = 20
PACE_S = 0.011
TASKS = 3
GOALS = (Goal("", "p99 ms", "informer", "bare watch", 1.2, at_most=True),)


def main() -> None:
    """Measure, print, and write results/informer_watch.json and results/informer_watch.svg."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--writes", type=int, default=300)
    parser.add_argument("--follow", nargs=3, metavar=("HOW", "ADDRESS", "COUNT"))
    given = parser.parse_args()
    if given.follow:
        how, address, count = given.follow
        FOLLOWERS[how](address, int(count))
        return
    end_cleanly()
    results = Results("Change to handler in another process, 2 KB")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = stack.enter_context(running_catalog(folder))
        client = stack.enter_context(Client(ours.address))
        for number in range(given.rounds):
            for how in list(FOLLOWERS)[:: 1 if number % 2 else -1]:
                latencies = _turn(client, how, given.writes + WARM_UP_WRITES)
                results.add(
                    "one follower",
                    how,
                    {
                        "p50 ms": percentile(latencies, 0.5) / 1e6,
                        "p99 ms": percentile(latencies, 0.99) / 1e6,
                    },
                )
    results.print_table()
    results.print_goals(GOALS)
    print(results.write("informer_watch", GOALS, plot="p99 ms"))


def _turn(client: Client, how: str, writes: int) -> list[int]:
    """Let a follower follow, write, and give the latencies in nanoseconds, the least first."""
    command = [sys.executable, "-m", "benchmarks.informer_watch", "--follow", how]
    follower = subprocess.Popen(
        [*command, client.address, str(writes)], stdout=subprocess.PIPE, text=True
    )
    assert follower.stdout is not None
    try:
        if follower.stdout.readline() != "ready\n":
            raise RuntimeError(f"{how} did not start")
        sent: dict[int, int] = {}
        for number in range(writes):
            dag_id = f"d{number % 20}"
            document = dag_document(dag_id, TASKS, salt=str(time.time_ns()))
            began = time.monotonic_ns()
            revision = client.put(dag_id, document).position.revision
            sent[revision] = began
            time.sleep(PACE_S)
        heard = {int(key): at for key, at in json.loads(follower.stdout.readline()).items()}
    finally:
        follower.kill()
        follower.wait()
        follower.stdout.close()
    if heard.keys() != sent.keys():
        raise RuntimeError(f"{how}: heard of {len(heard)} changes of {len(sent)}")
    return sorted(heard[one] - sent[one] for one in list(sent)[WARM_UP_WRITES:])


def _follow_as_informer(address: str, count: int) -> None:
    import threading  # noqa: PLC0415 - each follower loads what it uses

    from dagcatalog_client import DagSummary, Informer  # noqa: PLC0415

    heard: dict[int, int] = {}
    done = threading.Event()

    def hear(summary: DagSummary) -> None:
        if synced.is_set():
            _note(heard, summary.revision)
            if len(heard) == count:
                done.set()

    synced = threading.Event()
    with Client(address) as client:
        informer = Informer(client)
        informer.add_handler(added=hear, updated=lambda _, new: hear(new))
        with informer:
            informer.wait_for_sync(60)
            time.sleep(0.2)  # the handler has heard of the first state
            synced.set()
            print("ready", flush=True)
            done.wait(120)
            print(json.dumps(heard), flush=True)


def _follow_as_bare_watch(address: str, count: int) -> None:
    import grpc  # noqa: PLC0415

    from dagcatalog.v1 import catalog_service_pb2 as pb  # noqa: PLC0415
    from dagcatalog.v1 import catalog_service_pb2_grpc as pb_grpc  # noqa: PLC0415
    from dagcatalog.v1 import resources_pb2 as res  # noqa: PLC0415

    heard: dict[int, int] = {}
    with grpc.insecure_channel(address) as channel:
        request = pb.WatchRequest(
            namespaces=["default"], view=res.DAG_VIEW_DOCUMENT, initial_state=True
        )
        for response in pb_grpc.CatalogServiceStub(channel).Watch(request):
            if response.bookmark.synced:
                print("ready", flush=True)
            elif response.HasField("change_set"):
                _note(heard, response.position.revision)
                if len(heard) == count:
                    break
        print(json.dumps(heard), flush=True)


def _note(heard: dict[int, int], revision: int) -> None:
    at = time.monotonic_ns()
    if revision in heard:
        raise RuntimeError(f"revision {revision} came twice")
    heard[revision] = at


FOLLOWERS: dict[str, Callable[[str, int], None]] = {
    "informer": _follow_as_informer,
    "bare watch": _follow_as_bare_watch,
}


if __name__ == "__main__":
    main()
