"""Starts what is compared, each in a process of its own on loopback: our server, an echo, etcd."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

START_TIMEOUT_S = 60.0
READY = re.compile(r"ready: grpc=(\S+)")


@dataclass(frozen=True)
class Peer:
    """A server that is ready."""

    name: str
    address: str
    pid: int

    def cpu_s(self) -> float:
        """CPU that it has used so far."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def rss_bytes(self) -> int:
        """Memory that it holds."""
        return int(psutil.Process(self.pid).memory_info().rss)


def end_cleanly() -> None:
    """Let SIGTERM end the program as Ctrl-C does: with everything that it started stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to stop"))


@contextmanager
def running_catalog(
    folder: Path,
    database_url: str = "",
    *,
    name: str = "dagcatalog",
    module: str = "dagcatalog_server",
    **settings: object,
) -> Iterator[Peer]:
    """Run `dagcatalog serve`; settings as in its configuration. Without a URL: SQLite in the folder."""
    url = database_url or f"sqlite:///{folder / (name + '.db')}"
    program = [sys.executable, "-m", module]
    environment = _environment(url, settings)
    if not url.startswith(("sqlite:", "memory:")):
        subprocess.run([*program, "migrate"], check=True, env=environment, capture_output=True)
    with _running(name, [*program, "serve"], folder, environment) as peer:
        yield peer


@contextmanager
def running_module(module: str, folder: Path, *arguments: str, name: str) -> Iterator[Peer]:
    """Run `python -m MODULE`, which prints its address."""
    with _running(name, [sys.executable, "-m", module, *arguments], folder, None) as peer:
        yield peer


@contextmanager
def running_echo(
    folder: Path, unary: Mapping[str, bytes], streams: Mapping[str, Path] | None = None
) -> Iterator[Peer]:
    """Run the bare echo, answering these bytes at `/bench.Echo/NAME`."""
    arguments: list[str] = []
    for name, answer in unary.items():
        path = folder / f"echo-{name}"
        path.write_bytes(answer)
        arguments.append(f"--unary={name}={path}")
    arguments += [f"--stream={name}={path}" for name, path in (streams or {}).items()]
    with running_module("benchmarks.echo", folder, *arguments, name="echo") as peer:
        yield peer


@contextmanager
def running_etcd(folder: Path, *, name: str = "etcd") -> Iterator[Peer]:
    """Run one etcd with its defaults (every Put is synced to disk), with room for 8 GiB."""
    program = shutil.which("etcd")
    if program is None:
        sys.exit("this benchmark compares with etcd: install Debian's etcd-server")
    client, peer = (f"http://127.0.0.1:{_free_port()}" for _ in range(2))
    command = [
        program,
        f"--data-dir={folder / name}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        f"--quota-backend-bytes={8 * 1024**3}",
        "--max-request-bytes=16777216",
        "--log-level=error",
    ]
    address = client.removeprefix("http://")
    with _started(name, command, folder, None) as process:
        _wait_for_port(address, process)
        yield Peer("etcd", address, process.pid)


def etcd_version() -> str:
    """Ask etcd for its version; "none" if it is not installed."""
    program = shutil.which("etcd")
    if program is None:
        return "none"
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return told.stdout.partition("\n")[0].rpartition(" ")[2]


def _environment(url: str, settings: Mapping[str, object]) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DAGCATALOG_")}
    own = {
        "listen": "127.0.0.1:0",
        "health_listen": "",
        "database_url": url,
        "log_level": "WARNING",
        **settings,
    }
    return {**kept, **{f"DAGCATALOG_{key.upper()}": str(value) for key, value in own.items()}}


@contextmanager
def _running(
    name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None
) -> Iterator[Peer]:
    with _started(name, command, folder, environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if found := READY.search(line):
                yield Peer(name, found[1], process.pid)
                return
    raise RuntimeError(f"{name} did not start: {_log(folder, name).read_text()[-2000:]}")


@contextmanager
def _started(
    name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None
) -> Iterator["subprocess.Popen[str]"]:
    with _log(folder, name).open("a") as log:
        process = subprocess.Popen(
            list(command), stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _log(folder: Path, name: str) -> Path:
    return folder / f"{name}.log"


def _wait_for_port(address: str, process: "subprocess.Popen[str]") -> None:
    host, _, port = address.rpartition(":")
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"nothing listens on {address}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
