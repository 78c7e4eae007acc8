"""Get of a hot document: ours (local, linearizable), a bare echo of the same bytes, and etcd.

Each server is a process of its own on loopback; the same compiled client (load/h2grpc.c) sends the
same kind of prepared request over 4 connections and reads every answer to its last byte. The echo
answers the very bytes that our server answers. etcd holds the same document and answers a
serializable range. In every round all competitors take their turn for a few seconds, after 0.4 s of
warm-up; the ratios are those of one round. "two servers" are two replicas on one PostgreSQL, half of
the connections each. `cpu µs` is the server's own CPU for a call: it
wanders less than the rate when the machine has other work.
"""

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path

from benchmarks import etcd_wire, wire
from benchmarks.documents import dag_document
from benchmarks.load_client import target
from benchmarks.peers import Peer, end_cleanly, running_catalog, running_echo, running_etcd
from benchmarks.results import Goal, Results
from benchmarks.turns import Competitor, take_turn
from tests.support.postgres import running_postgres

GOALS = (
    *(Goal(size, "calls/s", own, "echo", 0.95) for size in wire.SIZES for own in ("local",)),
    Goal("2 KB", "calls/s", "local", "etcd", 0.45),
    Goal("60 KB", "calls/s", "local", "etcd", 1.0),
    Goal("600 KB", "calls/s", "local", "etcd", 1.6),
    Goal("60 KB", "p99 ms", "local", "etcd", 1.0, at_most=True),
    Goal("600 KB", "p99 ms", "local", "etcd", 1.0, at_most=True),
    *(Goal(size, "calls/s", "linearizable", "echo", 0.95) for size in wire.SIZES),
    Goal("PostgreSQL", "calls/s", "linearizable", "local", 0.7),
    Goal("PostgreSQL", "calls/s", "two servers", "etcd", 0.9),
)


def main() -> None:
    """Measure, print, and write results/get.json and results/get.svg."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--sizes", nargs="*", default=list(wire.SIZES))
    parser.add_argument("--concurrency", nargs="*", type=int, default=[16, 64])
    parser.add_argument("--no-postgres", action="store_true")
    given = parser.parse_args()
    end_cleanly()
    results = Results("Get of a hot document")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bench = _start(stack, folder, given.sizes)
        if not given.no_postgres:
            bench["PostgreSQL, 2 KB"] = _start_postgres(stack, folder)
        for _ in range(given.rounds):
            for (case, competitors), concurrency in product(bench.items(), given.concurrency):
                name = f"{case}, c={concurrency}"
                for one in competitors:
                    take_turn(results, name, one, concurrency=concurrency, seconds=given.seconds)
    results.print_table()
    results.print_goals(GOALS)
    print(results.write("get", GOALS, plot="calls/s"))


def _start(stack: ExitStack, folder: Path, sizes: Sequence[str]) -> dict[str, list[Competitor]]:
    ours = stack.enter_context(running_catalog(folder, name="sqlite"))
    etcd = stack.enter_context(running_etcd(folder))
    requests, answers = {}, {}
    for size in sizes:
        dag_id = size.replace(" ", "")
        document = dag_document(dag_id, wire.SIZES[size])
        wire.call_once(ours.address, wire.PUT, wire.put_request(dag_id, document))
        wire.call_once(
            etcd.address, etcd_wire.PUT, etcd_wire.put_request(dag_id.encode(), document)
        )
        requests[size] = dag_id
    for size, dag_id in requests.items():  # after the last Put: the position in them stays
        answers[size] = _checked_answer(ours, etcd, dag_id, wire.SIZES[size])
    echo = stack.enter_context(
        running_echo(folder, {requests[size]: answer for size, answer in answers.items()})
    )
    return {
        size: _competitors(ours, echo, etcd, dag_id, folder) for size, dag_id in requests.items()
    }


def _competitors(ours: Peer, echo: Peer, etcd: Peer, dag_id: str, folder: Path) -> list[Competitor]:
    local, exact = wire.get_request(dag_id), wire.get_request(dag_id, wire.LINEARIZABLE)
    ranged = etcd_wire.range_request(dag_id.encode())
    asked = (
        ("local", ours, wire.GET, local),
        ("echo", echo, f"/bench.Echo/{dag_id}", local),
        ("linearizable", ours, wire.GET, exact),
        ("etcd", etcd, etcd_wire.RANGE, ranged),
    )
    return [
        Competitor(name, target(peer.address, path, folder, [request]), (peer,))
        for name, peer, path, request in asked
    ]


def _start_postgres(stack: ExitStack, folder: Path) -> list[Competitor]:
    """Run two replicas on PostgreSQL: there a linearizable read asks another process for the clock."""
    database = stack.enter_context(running_postgres(durable=True))
    database.execute("CREATE DATABASE bench")
    one, two = (
        stack.enter_context(running_catalog(folder, database.url("bench"), name=f"postgres{n}"))
        for n in range(2)
    )
    etcd = stack.enter_context(running_etcd(folder, name="etcd-beside"))
    document = dag_document("pg", wire.SIZES["2 KB"])
    wire.call_once(one.address, wire.PUT, wire.put_request("pg", document))
    wire.call_once(etcd.address, etcd_wire.PUT, etcd_wire.put_request(b"pg", document))
    local, exact = wire.get_request("pg"), wire.get_request("pg", wire.LINEARIZABLE)
    both = f"{one.address},{two.address.rpartition(':')[2]}"
    return [
        Competitor("local", target(one.address, wire.GET, folder, [local]), (one,)),
        Competitor("linearizable", target(one.address, wire.GET, folder, [exact]), (one,)),
        Competitor("two servers", target(both, wire.GET, folder, [local]), (one, two)),
        Competitor(
            "etcd",
            target(etcd.address, etcd_wire.RANGE, folder, [etcd_wire.range_request(b"pg")]),
            (etcd,),
        ),
    ]


def _checked_answer(ours: Peer, etcd: Peer, dag_id: str, tasks: int) -> bytes:
    """Give the bytes that our server answers, after checking that both hold the document."""
    document = dag_document(dag_id, tasks)
    answer = wire.call_once(ours.address, wire.GET, wire.get_request(dag_id))
    other = wire.call_once(etcd.address, etcd_wire.RANGE, etcd_wire.range_request(dag_id.encode()))
    if wire.document_of(answer) != document or etcd_wire.range_value(other) != document:
        raise RuntimeError(f"the answers for {dag_id} do not hold its document")
    return answer


if __name__ == "__main__":
    main()
