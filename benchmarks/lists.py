"""List: a page of 100 out of 100,000 DAGs next to a page out of 1,000, the first and the last.

Four catalogs, each behind a server of its own: both sizes on SQLite and on PostgreSQL. The same
compiled client asks one at a time (c=1) and 16 at a time; the servers take turns in each round. The
last page is reached by its token, as a client gets it by paging through. Ratios are of the rate:
1 means that size costs nothing.
"""

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path

from benchmarks import wire
from benchmarks.filling import fill
from benchmarks.load_client import target
from benchmarks.peers import Peer, end_cleanly, running_catalog
from benchmarks.results import Goal, Results
from benchmarks.turns import Competitor, take_turn
from dagcatalog.v1 import catalog_service_pb2 as pb
from tests.support.postgres import running_postgres

PAGE = 100
FEW, MANY = 1_000, 100_000
GOALS = (Goal("", "p50 ms", f"{MANY:,} DAGs", f"{FEW:,} DAGs", 2.0, at_most=True),)

Cases = dict[str, list[Competitor]]


def main() -> None:
    """Measure, print, and write results/lists.json and results/lists.svg."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--many", type=int, default=MANY)
    given = parser.parse_args()
    end_cleanly()
    results = Results("List: a page of 100")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cases = _start(stack, folder, (FEW, given.many))
        for _ in range(given.rounds):
            for (case, competitors), concurrency in product(cases.items(), (1, 16)):
                name = f"{case}, c={concurrency}"
                for one in competitors:
                    take_turn(results, name, one, concurrency=concurrency, seconds=given.seconds)
    results.print_table()
    results.print_goals(GOALS)
    print(results.write("lists", GOALS, plot="p50 ms"))


def _start(stack: ExitStack, folder: Path, sizes: Sequence[int]) -> Cases:
    database = stack.enter_context(running_postgres(durable=True))
    cases: Cases = {}
    for dags in sizes:
        database.execute(f"CREATE DATABASE dags{dags}")
        urls = {"SQLite": "", "PostgreSQL": database.url(f"dags{dags}")}
        for store, url in urls.items():
            peer = stack.enter_context(running_catalog(folder, url, name=f"{store}{dags}"))
            fill(peer.address, dags, tasks=1)
            for page, token in (("first page", ""), ("last page", _last_token(peer, dags))):
                to = target(peer.address, wire.LIST, folder, [_request(token)])
                one = Competitor(f"{dags:,} DAGs", to, (peer,))
                cases.setdefault(f"{store}, {page}", []).append(one)
    return cases


def _last_token(peer: Peer, dags: int) -> str:
    """Page through, in pages of 1,000 and at last of 100, to the token of the last page."""
    token, seen = "", 0
    while seen < dags - PAGE:
        size = min(1_000, dags - PAGE - seen)
        answer = _list(peer, token, size)
        token, seen = answer.next_page_token, seen + len(answer.dags)
    last = _list(peer, token, PAGE)
    if len(last.dags) != PAGE or last.next_page_token or last.total_size != dags:
        raise RuntimeError(f"{dags} DAGs: the last page has {len(last.dags)}")
    return token


def _list(peer: Peer, token: str, size: int) -> pb.ListResponse:
    answer = wire.call_once(peer.address, wire.LIST, _request(token, size))
    return pb.ListResponse.FromString(answer)


def _request(token: str, size: int = PAGE) -> bytes:
    asked = pb.ListRequest(namespace="default", page_size=size, page_token=token)
    return asked.SerializeToString()


if __name__ == "__main__":
    main()
