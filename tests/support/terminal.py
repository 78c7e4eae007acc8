"""A program on a terminal of its own, as a person has it before him."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tests.support.waiting import PATIENCE_S


class Terminal:
    """A pseudo-terminal of 80 columns, and all that was written to it."""

    def __init__(self, process: "subprocess.Popen[bytes]", master: int) -> None:
        self.process = process
        self._master = master
        self.seen = ""

    def wait_for(self, text: str) -> str:
        """Read until a text was written; return all that came after the last wait."""
        give_up, start = time.monotonic() + PATIENCE_S, len(self.seen)
        while text not in self.seen[start:]:
            assert time.monotonic() < give_up, f"never said {text!r}: {self.seen[start:]!r}"
            self._read()
        return self.seen[start:]

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def end(self) -> int:
        """Read to the end; return the exit code."""
        while self.process.poll() is None:
            self._read()
        return self.process.wait()

    def _read(self) -> None:
        if select.select([self._master], [], [], 0.1)[0]:
            try:
                self.seen += os.read(self._master, 65_536).decode(errors="replace")
            except OSError:  # the other end is closed
                self.process.wait(PATIENCE_S)


@contextmanager
def on_terminal(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Terminal]:
    """Run a program on a terminal; it is ended with the block."""
    master, slave = pty.openpty()
    size = {"COLUMNS": "80", "LINES": "20", "TERM": "xterm-256color"}
    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env={**environment, **size},
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE_S)
        os.close(master)
