"""`--watch`: an answer that is shown again when it has changed.

A watch tells when; only what no watch tells of (parse errors, consumers) is asked for by the clock.
"""

import io
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from dagcatalog_client.cli.context import Context, Output
from dagcatalog_client.cli.plain import emit_line
from dagcatalog_client.client import Client, Watch
from dagcatalog_client.errors import (
    CatalogError,
    DeadlineExceeded,
    OutOfRange,
    TlsFailed,
    Unavailable,
)
from dagcatalog_client.model import ChangeSet, Position

AnswerT = TypeVar("AnswerT")

SETTLE_S = 0.25
"""Changes within it are one refresh: a load of a thousand DAGs is not a thousand lists."""
FIRST_PAUSE_S, LAST_PAUSE_S = 0.5, 5.0
"""How long to wait for a catalog that is away, at first and at last."""
FRAME_LINES = 2
"""The head above an answer and the line that the cursor keeps."""

watch_option = click.option(
    "-w", "--watch", "following", is_flag=True, help="Show it again whenever it has changed."
)


def follow(
    context: Context,
    read: Callable[[Client], AnswerT],
    show: Callable[[Context, AnswerT], None],
    *,
    prefix: str = "",
    every_s: float | None = None,
) -> None:
    """Show an answer, then again when something changed, until interrupted.

    `prefix` is the start of the dag_ids that count. `every_s` asks by the clock too. A catalog that
    goes away is waited for; the last answer stays, and says how old it is.
    """
    with context.client() as client:
        answer = read(client)
        with _page(context, show) as turn, _listening(context, client, prefix) as bell:
            pause_s = FIRST_PAUSE_S
            turn(answer, "")
            while True:
                bell.wait(every_s)
                try:
                    answer = read(client)
                except (Unavailable, DeadlineExceeded) as error:
                    if isinstance(error, TlsFailed):
                        raise
                    turn(answer, str(error))
                    time.sleep(pause_s)
                    pause_s = min(pause_s * 2, LAST_PAUSE_S)
                    bell.ring()
                else:
                    pause_s = FIRST_PAUSE_S
                    turn(answer, "")


class _Bell:
    """Rings when a watch had news; holds one ring at most, and what ended the watch for good."""

    def __init__(self) -> None:
        self._rung = threading.Event()
        self._error: CatalogError | None = None

    def ring(self, error: CatalogError | None = None) -> None:
        self._error = error
        self._rung.set()

    def wait(self, timeout_s: float | None) -> None:
        """Wait for a ring, or for the clock."""
        if self._rung.wait(timeout_s):
            time.sleep(SETTLE_S)
        self._rung.clear()
        if self._error is not None:
            raise self._error


@contextmanager
def _listening(context: Context, client: Client, prefix: str) -> Iterator[_Bell]:
    """Watch in a thread of its own, and ring at every change."""
    bell, listener = _Bell(), _Listener(client, context.namespace, prefix)
    thread = threading.Thread(target=listener.run, args=(bell,), daemon=True)
    thread.start()
    try:
        yield bell
    finally:
        listener.stop()
        thread.join(LAST_PAUSE_S)


class _Listener:
    def __init__(self, client: Client, namespace: str, prefix: str) -> None:
        self._client = client
        self._namespace = namespace
        self._prefix = prefix
        self._position: Position | None = client.position
        self._watch: Watch | None = None
        self._stopped = threading.Event()

    def run(self, bell: _Bell) -> None:
        """Watch, and again where the last watch ended, until stopped or refused."""
        pause_s = FIRST_PAUSE_S
        while not self._stopped.is_set():
            try:
                self._listen(bell)
                pause_s = FIRST_PAUSE_S
            except OutOfRange:
                self._client.forget_position()
                self._position = None
                bell.ring()
            except CatalogError as error:
                if isinstance(error, TlsFailed) or not isinstance(
                    error, Unavailable | DeadlineExceeded
                ):
                    bell.ring(None if self._stopped.is_set() else error)
                    return
                bell.ring()
            self._stopped.wait(pause_s)
            pause_s = min(pause_s * 2, LAST_PAUSE_S)

    def stop(self) -> None:
        self._stopped.set()
        if self._watch is not None:
            self._watch.cancel()

    def _listen(self, bell: _Bell) -> None:
        with self._client.watch(
            namespaces=[self._namespace],
            dag_id_prefix=self._prefix,
            after=self._position or self._client.status().position,
            conflate=True,
        ) as self._watch:
            for event in self._watch:
                self._position = event.position
                if isinstance(event, ChangeSet):
                    bell.ring()


@contextmanager
def _page(
    context: Context, show: Callable[[Context, AnswerT], None]
) -> Iterator[Callable[[AnswerT, str], None]]:
    """Return what shows an answer and a problem: in place on a terminal, else below the last one."""
    if context.output not in (Output.TABLE, Output.NAME):
        yield lambda answer, problem: _emit(context, answer, problem)
    elif context.console.is_terminal and context.output is Output.TABLE:
        with Live(console=context.console, screen=True, auto_refresh=False) as live:
            yield lambda answer, problem: live.update(
                _cropped(context, lambda paper: show(paper, answer), problem), refresh=True
            )
    else:
        yield lambda answer, problem: _append(context, lambda: show(context, answer), problem)


def _emit(context: Context, answer: object, problem: str) -> None:
    if problem:
        context.notes.print(_head(problem), soft_wrap=True)
    else:
        emit_line(answer, context.output)
        sys.stdout.flush()


def _append(context: Context, show: Callable[[], None], problem: str) -> None:
    context.notes.print(_head(problem), soft_wrap=True)
    if not problem:
        show()
        click.echo()
        sys.stdout.flush()


def _cropped(context: Context, show: Callable[[Context], None], problem: str) -> Text:
    """Draw an answer as high as the terminal is."""
    screen = context.console
    paper = Console(
        file=io.StringIO(),
        force_terminal=True,
        width=screen.width,
        color_system="truecolor" if screen.color_system else None,
        highlight=False,
    )
    with paper.capture() as drawn:
        show(replace(context, console=paper, notes=paper))
    lines = drawn.get().splitlines()
    room = max(screen.height - FRAME_LINES, 1)
    if len(lines) > room:
        lines = [*lines[: room - 1], f"… {len(lines) - room + 1} lines more"]
    text = _head(problem)
    return text.append("\n").append_text(Text.from_ansi("\n".join(lines)))


def _head(problem: str) -> Text:
    now = f"{datetime.now().astimezone():%H:%M:%S}"
    return Text(f"{now}  {problem or 'Ctrl-C ends'}", style="red" if problem else "dim")
