"""Linux process control: who descends from whom, and how to end all of them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections import defaultdict
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PROC = "/proc"
END_TIMEOUT_S = 5.0
ROUND_S = 0.001


def die_with_parent(number: int) -> None:
    """Ask for this signal when the parent ends, so that nothing outlives a killed dagctl."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of descendants whose parent ends: none can escape by a double fork."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> dict[int, list[int]]:
    """List the children of every process of the machine."""
    below: dict[int, list[int]] = defaultdict(list)
    for name in os.listdir(PROC):  # noqa: PTH208 - names only, and often
        if name.isdigit():
            with contextlib.suppress(OSError):
                below[_parent_of(name)].append(int(name))
    return below


def descendants(root: int) -> list[int]:
    """List all that descend from a process, itself not."""
    below_of = children()
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = below_of.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def process_count() -> int:
    """Count the processes of the machine: cheap, and enough to see that a file forks wildly."""
    return sum(name.isdigit() for name in os.listdir(PROC))  # noqa: PTH208 - names only, and often


def end_all(group: int) -> None:
    """Kill a process group, then every descendant of this process, and reap them.

    Killing a group is atomic: a fork bomb inside it ends at once. Those that left the group are
    found by descent, in rounds.
    """
    with contextlib.suppress(OSError):
        os.killpg(group, signal.SIGKILL)
    give_up = time.monotonic() + END_TIMEOUT_S
    while time.monotonic() < give_up:
        left = descendants(os.getpid())
        if not left:
            return
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for pid in left:
            with contextlib.suppress(OSError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(ROUND_S)


def _parent_of(pid: str) -> int:
    with Path(PROC, pid, "stat").open("rb") as stat:
        # pid (name) state ppid …: the name may hold spaces and parentheses.
        return int(stat.read().rpartition(b")")[2].split()[1])
