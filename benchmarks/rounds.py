"""Runs competitors in turn and prints ratios with minimum, median and maximum."""

import time
from collections.abc import Callable, Mapping
from statistics import median

Work = Callable[[], int]
"""Does some operations and returns how many."""


def measure(competitors: Mapping[str, Work], *, rounds: int) -> dict[str, list[float]]:
    """Run every competitor once a round, in turn; return operations per second, a figure a round."""
    rates: dict[str, list[float]] = {name: [] for name in competitors}
    for _ in range(rounds):
        for name, work in competitors.items():
            began = time.perf_counter()
            operations = work()
            rates[name].append(operations / (time.perf_counter() - began))
    return rates


def report(rates: Mapping[str, list[float]], *, peer: str, unit: str = "operations/s") -> None:
    """Print each competitor's rate, and its ratio to the peer round by round."""
    print(f"{'':34}{unit + ', median':>24}   ratio to {peer}: min / median / max")
    for name, figures in rates.items():
        ratios = [own / other for own, other in zip(figures, rates[peer], strict=True)]
        told = f"{min(ratios):.2f} / {median(ratios):.2f} / {max(ratios):.2f}"
        print(f"{name:34}{median(figures):>24,.0f}   {told}")
