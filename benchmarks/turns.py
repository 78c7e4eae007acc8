"""One competitor's turn in a round: some seconds of load, and what it took."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.load_client import Run, Target, run_calls
from benchmarks.peers import Peer
from benchmarks.results import Results


@dataclass(frozen=True)
class Competitor:
    """Who answers, and what is asked."""

    name: str
    to: Target
    peers: Sequence[Peer]
    """The processes whose CPU is counted."""


def take_turn(
    results: Results, case: str, one: Competitor, *, concurrency: int, seconds: float
) -> Run:
    """Load one competitor and keep its figures under the case."""
    used = sum(peer.cpu_s() for peer in one.peers)
    run = run_calls(one.to, concurrency=concurrency, seconds=seconds)
    used = sum(peer.cpu_s() for peer in one.peers) - used
    results.add(
        case,
        one.name,
        {
            "calls/s": run.rate,
            "p50 ms": run.p50_ms,
            "p99 ms": run.p99_ms,
            "cpu µs": used * 1e6 / run.all_calls,
            "client cores": run.client_cpu,
        },
    )
    return run
