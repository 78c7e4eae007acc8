"""A real catalog server as a process of its own, on free ports of the loopback."""

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

READY = re.compile(r"ready: grpc=(\S+) health=(\S+)")
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class RunningServer:
    """A server that is ready."""

    address: str
    health_address: str
    process: subprocess.Popen[str]
    log: Path
    """What it wrote to standard error."""

    @property
    def pid(self) -> int:
        return self.process.pid


@contextmanager
def running_server(
    path: Path,
    *,
    extra_args: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = (),
) -> Iterator[RunningServer]:
    """Serve the SQLite database at `path`; stop with SIGTERM, kill after 10 s.

    `extra_args` come last and win, a --database-url among them. `program` is started in place of
    the installed `dagcatalog`.
    """
    log = path.with_suffix(".log")
    command = _command(path.absolute(), extra_args, program)
    with log.open("a") as errors:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**_clean_environment(), **(environment or {})},
        )
    try:
        address, health_address = _ready(process, log)
        yield RunningServer(address, health_address, process, log)
    finally:
        stop(process)


def stop(process: "subprocess.Popen[str]") -> int:
    """Ask a server to end, and make it; return its exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
    finally:
        if process.stdout is not None:
            process.stdout.close()


def _command(path: Path, extra_args: Sequence[str], program: Sequence[str]) -> list[str]:
    return [
        *(program or [str(Path(sys.executable).with_name("dagcatalog"))]),
        "serve",
        "--listen=127.0.0.1:0",
        "--health-listen=127.0.0.1:0",
        f"--database-url=sqlite:///{path}",
        *extra_args,
    ]


def _clean_environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("DAGCATALOG_")}


def _ready(process: "subprocess.Popen[str]", log: Path) -> tuple[str, str]:
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    while line := _next(lines, log):
        if found := READY.search(line):
            return found[1], found[2]
    raise RuntimeError(f"the server ended before it was ready:\n{log.read_text()}")


def _read(process: "subprocess.Popen[str]", lines: "queue.Queue[str]") -> None:
    """Read standard output to its end, so that the server never blocks on a full pipe."""
    assert process.stdout is not None
    try:
        for line in process.stdout:
            lines.put(line)
    except ValueError:  # closed by stop() while this thread was reading
        pass
    lines.put("")


def _next(lines: "queue.Queue[str]", log: Path) -> str:
    try:
        return lines.get(timeout=START_TIMEOUT_S)
    except queue.Empty:
        raise RuntimeError(f"the server was not ready in time:\n{log.read_text()}") from None
