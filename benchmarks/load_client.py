"""The compiled load client (load/h2grpc.c): builds it, runs it, reads its samples."""

import json
import os
import shutil
import subprocess
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.frames import write_frames

SOURCE = Path(__file__).with_name("load") / "h2grpc.c"
BUILT = Path(__file__).parents[1] / "build" / "bench" / "h2grpc"
WARM_UP_S = 0.4
CONNECTIONS = 4  # as many as a small Airflow has processes; the calls are spread over them

PairNs = tuple[int, int]


@dataclass(frozen=True)
class Target:
    """One method of one server, and what is sent to it."""

    address: str
    path: str
    bodies: Path
    """A file of gRPC frames, sent in turn."""


@dataclass(frozen=True)
class Run:
    """What a closed loop of calls measured, the warm-up left out."""

    rate: float
    """Calls a second."""
    p50_ms: float
    p99_ms: float
    client_cpu: float
    """Share of one core that the client took."""
    all_calls: int
    """Calls made, those of the warm-up among them."""


def target(address: str, path: str, folder: Path, messages: Sequence[bytes]) -> Target:
    """Write the bodies of a target into a folder."""
    name = f"{path.replace('/', '_')}-{len(list(folder.iterdir()))}.frames"
    return Target(address, path, write_frames(folder / name, messages))


def run_calls(to: Target, *, concurrency: int, seconds: float) -> Run:
    """Keep so many calls under way for so long, after a warm-up of 0.4 s.

    Raises:
        RuntimeError: a call failed, was not answered, or the client could not run.

    """
    connections = min(CONNECTIONS, concurrency)
    told, pairs = _run(
        to,
        f"--connections={connections}",
        f"--streams={concurrency // connections}",
        f"--seconds={seconds + WARM_UP_S}",
    )
    if told["failed"] or told["unanswered"] or not pairs:
        raise RuntimeError(f"{to.path} at {to.address}: {told}")
    begun = told["begun_ns"] + int(WARM_UP_S * 1e9)
    ended = begun + int(seconds * 1e9)
    taken = sorted(end - start for start, end in pairs if begun <= start and end <= ended)
    counted = sum(begun <= end <= ended for _, end in pairs)
    return Run(
        rate=counted / seconds,
        p50_ms=percentile(taken, 0.50) / 1e6,
        p99_ms=percentile(taken, 0.99) / 1e6,
        client_cpu=told["cpu_s"] / told["seconds"],
        all_calls=len(pairs),
    )


def percentile(ordered: Sequence[int], share: float) -> float:
    """Take a percentile of ordered figures; nan without any."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def command(to: Target, samples: Path, *options: str) -> list[str]:
    """Give the command line of the client."""
    host, _, port = to.address.rpartition(":")
    return [
        str(built()),
        f"--host={host}",
        f"--port={port}",
        f"--path={to.path}",
        f"--bodies={to.bodies}",
        f"--samples={samples}",
        *options,
    ]


def read_samples(path: Path) -> list[PairNs]:
    """Read the pairs of nanoseconds that the client wrote."""
    numbers = array("Q")
    numbers.frombytes(path.read_bytes())
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _run(to: Target, *options: str) -> tuple[dict[str, Any], list[PairNs]]:
    samples = to.bodies.with_suffix(".samples")
    done = subprocess.run(
        command(to, samples, *options), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{to.path} at {to.address}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1]), read_samples(samples)


@cache
def built() -> Path:
    """Build the client if its source is newer; ends the program with a sentence if that fails."""
    if BUILT.exists() and BUILT.stat().st_mtime >= SOURCE.stat().st_mtime:
        return BUILT
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    BUILT.parent.mkdir(parents=True, exist_ok=True)
    if compiler is None:
        sys.exit("this benchmark needs a C compiler and nghttp2's headers (libnghttp2-dev)")
    done = subprocess.run(
        [compiler, "-O2", "-o", str(BUILT), str(SOURCE), "-lnghttp2"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"the load client does not build (libnghttp2-dev missing?):\n{done.stderr}")
    return BUILT
