"""Runs one child, holds it to its limits, and ends everything that it started."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from dagcatalog_client.parse import processes, protocol
from dagcatalog_client.parse.model import (
    MAX_ANSWER_BYTES,
    MAX_FILE_PROCESSES,
    MAX_OUTPUT_BYTES,
    FailureKind,
    Limits,
    Verdict,
)

# The child writes where it hangs when its time is up; this is how long it has for that.
LAST_WORDS_S = 0.3
TICK_S = 0.05
FIRST_PRIVATE_FD = 100  # above what a DAG file may expect to be free
CHUNK_BYTES = 256 * 1024

Child = Callable[[int], None]


class Stopped(BaseException):
    """The zygote is gone or told the keeper to stop."""


def keep(child: Child, limits: Limits) -> bytes:
    """Run `child(answer_fd)` in a process of its own; give the verdict and what it answered."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    processes.die_with_parent(signal.SIGTERM)
    processes.adopt_orphans()
    answer_fd, child_answer_fd = os.pipe()
    output_fd, child_output_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become_child(child, child_answer_fd, child_output_fd)
    os.close(child_answer_fd)
    os.close(child_output_fd)
    keeper = _Keeper(pid, answer_fd, output_fd, limits)
    try:
        keeper.watch()
    finally:
        processes.end_all(pid)
    return keeper.report()


class _Keeper:
    def __init__(self, pid: int, answer_fd: int, output_fd: int, limits: Limits) -> None:
        self.pid = pid
        self.limits = limits
        self.deadline = time.monotonic() + limits.timeout_s + LAST_WORDS_S
        self.next_check = 0.0
        self.answer_fd, self.output_fd = answer_fd, output_fd
        self.answer, self.output = bytearray(), bytearray()
        self.verdict: Verdict | None = None
        self.processes_before = processes.process_count()
        self.poll = select.poll()
        for fd in (answer_fd, output_fd, os.pidfd_open(pid)):
            os.set_blocking(fd, False)
            self.poll.register(fd, select.POLLIN)

    def watch(self) -> None:
        """Read until the child ends or breaks a limit."""
        while self.verdict is None:
            self.poll.poll(TICK_S * 1000)
            self._read()
            self.verdict = self._ended()
            # Not at every chunk that a talkative file prints: counting processes takes a while.
            if self.verdict is None and time.monotonic() >= self.next_check:
                self.verdict = self._broken_limit()
                self.next_check = time.monotonic() + TICK_S

    def report(self) -> bytes:
        """Give the verdict, then the child's frames. What was written before the end is read."""
        self._read()
        verdict = self.verdict or Verdict()
        output = bytes(self.output[-MAX_OUTPUT_BYTES:]).decode("utf-8", "replace")
        whole = Verdict(
            verdict.exit_code, verdict.signal, verdict.ended_for, verdict.reason, output
        )
        return protocol.encode_verdict(whole) + bytes(self.answer)

    def _read(self) -> None:
        for fd, into, keep_last in (
            (self.answer_fd, self.answer, 0),
            (self.output_fd, self.output, MAX_OUTPUT_BYTES),
        ):
            # Bounded, so that a file that prints without end cannot keep us from the deadline.
            for _ in range(16):
                try:
                    chunk = os.read(fd, CHUNK_BYTES)
                except BlockingIOError:
                    break
                if not chunk:
                    break
                into.extend(chunk)
                if keep_last:
                    del into[:-keep_last]

    def _ended(self) -> Verdict | None:
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return None
        if os.WIFSIGNALED(status):
            return Verdict(signal=os.WTERMSIG(status))
        return Verdict(exit_code=os.WEXITSTATUS(status))

    def _broken_limit(self) -> Verdict | None:
        # First: a file that forks wildly leaves us little time, and its deadline may be over by now.
        if processes.process_count() > self.processes_before + MAX_FILE_PROCESSES and (
            len(processes.descendants(os.getpid())) > MAX_FILE_PROCESSES
        ):
            reason = f"the file started more than {MAX_FILE_PROCESSES} processes"
            return Verdict(ended_for=FailureKind.CRASH, reason=reason)
        if len(self.answer) > MAX_ANSWER_BYTES:
            reason = f"the DAGs of the file are larger than {MAX_ANSWER_BYTES >> 20} MiB"
            return Verdict(ended_for=FailureKind.MEMORY, reason=reason)
        if time.monotonic() > self.deadline:
            reason = f"the file did not end within {self.limits.timeout_s:g} s"
            return Verdict(ended_for=FailureKind.TIMEOUT, reason=reason)
        return None


def _become_child(child: Child, answer_fd: int, output_fd: int) -> NoReturn:
    """Take a session of our own, no input, and the pipe as output; then run, and never return."""
    code = 1
    try:
        os.setsid()
        processes.die_with_parent(signal.SIGKILL)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(output_fd, 1)
        os.dup2(output_fd, 2)
        private_fd = _move_up(answer_fd)
        os.closerange(3, private_fd)
        child(private_fd)
        code = 0
    finally:
        os._exit(code)


def _move_up(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_PRIVATE_FD)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Stopped
