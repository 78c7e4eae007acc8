"""Writes the table of docs/reference/performance.md from what the benchmarks left in results/."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.results import FOLDER, Goal, Outcome, Results

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def main() -> None:
    """Replace what stands between the two marks of the page."""
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n{_tables()}\n{END}{after}")


def _tables() -> str:
    files = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]
    return "\n".join(line for told in files if told.get("goals") for line in _table(told))


def _table(told: dict[str, Any]) -> Iterator[str]:
    results = Results(told["title"], told["figures"])
    goals = [Goal(**goal) for goal in told["goals"]]
    rounds = max(len(one.ratios) for one in results.outcomes(goals))
    yield f"\n### {results.title}\n"
    yield f"{_machine(told['machine'])}; {rounds} rounds.\n"
    yield "| ratio | min / median / max | goal | reached |"
    yield "|---|---|---|---|"
    yield from map(_row, results.outcomes(goals))


def _row(one: Outcome) -> str:
    return f"| {one.name} | {one.told} | {one.goal.told} | {'yes' if one.reached else '**no**'} |"


def _machine(machine: dict[str, str]) -> str:
    cores, load = machine["cores"], machine["load_average"]
    told = {name: text for name, text in machine.items() if name not in ("cores", "load_average")}
    return (
        f"{cores} shared cores, load average {load} at the end ("
        + ", ".join(f"{name} {text}" for name, text in told.items())
        + ")"
    )


if __name__ == "__main__":
    main()
