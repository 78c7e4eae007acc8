"""A slow watcher among many: how it disturbs the others, and what the server holds for it.

1,000 watchers, each on a connection of its own, get 60 KB documents; in half of the runs one more
watcher reads 1 KB a second. Runs with and without it take turns; what counts is how much the p99 of
the thousand moves. Then memory: two fresh servers get the same writes, one with 50 watchers that
read 1 KB/s, the other with 50 that keep up; the difference of their memory, divided by 50, is
what a slow watcher costs. (Bytes in socket buffers are the kernel's and bounded by it.)
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.load_client import command, run_calls
from benchmarks.peers import end_cleanly, running_catalog
from benchmarks.results import Goal, Results
from benchmarks.watch import Side, deliveries, our_side, told

WATCHERS = 1_000
SLOW_BYTES_PER_S = 1_024
SLOW = 50
GOALS = (
    Goal("1,000 watchers", "p99 ms", "one slow", "none slow", 1.10, at_most=True),
    Goal("memory", "MiB a watcher more", "slow", "limit", 1.0, at_most=True),
)


def main() -> None:
    """Measure, print, and write results/slow_watcher.json and .svg."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    end_cleanly()
    results = Results("A slow watcher among 1,000")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        peer = stack.enter_context(running_catalog(folder, name="sqlite"))
        side = our_side(peer, peer, folder)
        for _ in range(given.rounds):
            results.add("1,000 watchers", "none slow", told(_all(side, folder)))
            with _watching(side, folder, 1, slow=True):
                results.add("1,000 watchers", "one slow", told(_all(side, folder)))
    for _ in range(given.rounds):
        slow, quick = _memory(slow=True), _memory(slow=False)
        results.add("memory", "slow", {"MiB a watcher more": (slow - quick) / SLOW / 1024**2})
        results.add("memory", "limit", {"MiB a watcher more": 1.0})
    results.print_table()
    results.print_goals(GOALS)
    print(results.write("slow_watcher", GOALS))


def _all(side: Side, folder: Path) -> list[int]:
    return deliveries(side, WATCHERS, folder=folder)


def _memory(*, slow: bool) -> int:
    """Return the server's memory after 500 Puts of 60 KB, watched by 50."""
    with tempfile.TemporaryDirectory() as name, running_catalog(Path(name)) as peer:
        side = our_side(peer, peer, Path(name))
        with _watching(side, Path(name), SLOW, slow=slow):
            run_calls(side.write, concurrency=4, seconds=6)
            time.sleep(2)  # what is under way to those who keep up
            return peer.rss_bytes()


@contextmanager
def _watching(side: Side, folder: Path, watchers: int, *, slow: bool) -> Iterator[None]:
    watching = command(
        side.watch,
        folder / "beside.samples",
        "--watch",
        f"--connections={watchers}",
        "--seconds=3600",
        *([f"--read-per-s={SLOW_BYTES_PER_S}"] if slow else []),
    )
    with subprocess.Popen(watching, stdout=subprocess.DEVNULL) as process:
        time.sleep(2)  # until all are connected and registered
        try:
            yield
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
