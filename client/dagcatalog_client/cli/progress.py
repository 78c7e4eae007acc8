"""How far a long command is: a bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

PLAIN_INTERVAL_S = 5.0
SHOWN_CHARACTERS = 40

Step = Callable[[str], None]


@contextmanager
def counting(console: Console, doing: str, total: int | None, what: str) -> Iterator[Step]:
    """Count steps, each with a name; `total` is None where nobody knows."""
    if not console.is_terminal:
        yield _plain(console, doing, total, what)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(doing, total=total)
        yield lambda name: bar.update(task, advance=1, description=f"{doing} {_short(name)}")


def _plain(console: Console, doing: str, total: int | None, what: str) -> Step:
    count, last = 0, time.monotonic()

    def step(name: str) -> None:
        nonlocal count, last
        count += 1
        if time.monotonic() - last >= PLAIN_INTERVAL_S:
            last = time.monotonic()
            of = "" if total is None else f" of {total}"
            console.print(f"{doing}: {count}{of} {what}, {name}", markup=False, soft_wrap=True)

    return step


def _short(name: str) -> str:
    # Square brackets are rich's markup.
    cut = name if len(name) <= SHOWN_CHARACTERS else f"…{name[-SHOWN_CHARACTERS + 1 :]}"
    return cut.replace("[", "\\[")
