"""docs/tutorial: every command works as it stands, and says what the page says."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.pages import ROOT, Block, blocks
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(400)

PAGE = "tutorial/README.md"
ADDRESS = "127.0.0.1:50051"


def test_a_reader_sees_what_the_page_says(tmp_path: Path) -> None:
    address, health = (f"127.0.0.1:{port}" for port in _free_ports(2))
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("DAGCATALOG_")},
        "HOME": str(tmp_path),
        "DAGCATALOG_LISTEN": address,
        "DAGCATALOG_HEALTH_LISTEN": health,
        "DAGCATALOG_ADDRESS": address,
        "DAGCATALOG_CONTEXT_FILE": str(tmp_path / "none.toml"),
        "COLUMNS": "80",
        "NO_PROXY": "127.0.0.1",
    }
    reader = _Reader(tmp_path, environment, address)
    with ExitStack() as stack:
        background = said = ""
        for block in _blocks():
            match block.language:
                case "sh":
                    said = reader.run(block.text)
                case "sh server":
                    reader.start(stack, block.text, "server.log", until="ready: grpc=")
                case "sh background":
                    background = "watch.log"
                    reader.start(stack, block.text, background, until="watching from")
                case "text":
                    _same(block.text.replace(ADDRESS, address), said)
                case "text background":
                    _comes_to_say(reader.folder / background, block.text)
                case other:
                    pytest.fail(f"nobody knows what to do with a block of {other}")


class _Reader:
    """Somebody who types what the page says, in one terminal after the other."""

    def __init__(self, home: Path, environment: dict[str, str], address: str) -> None:
        self.folder = home / "catalog"
        self._environment = environment
        self._address = address

    def run(self, text: str) -> str:
        """Run a block in the first terminal; return what it says."""
        installed = self.folder.exists()
        before = f". {self.folder}/bin/activate; cd {self.folder}; " if installed else ""
        done = subprocess.run(
            ["bash", "-ec", before + text.replace(ADDRESS, self._address)],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self, stack: ExitStack, text: str, log: str, *, until: str) -> None:
        """Run a block in a terminal of its own, until the page is over."""
        path = self.folder / log
        stack.enter_context(self._running(text, path))
        wait_until(lambda: until in path.read_text())

    @contextmanager
    def _running(self, text: str, log: Path) -> Iterator[None]:
        with log.open("w") as said:
            program = subprocess.Popen(
                ["bash", "-ec", f". {self.folder}/bin/activate; exec {text}"],
                cwd=self.folder,
                env={**self._environment, "PYTHONUNBUFFERED": "1"},
                stdout=said,
                stderr=said,
            )
        try:
            yield
        finally:
            program.send_signal(signal.SIGINT)
            try:
                program.wait(20)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()


def _blocks() -> list[Block]:
    found = blocks(PAGE)
    assert len(found) > 15
    return found


def _same(wanted: str, said: str) -> None:
    assert re.fullmatch(_pattern(wanted), said.strip()), f"{said}\nis not\n{wanted}"


def _comes_to_say(log: Path, wanted: str) -> None:
    pattern = _pattern(wanted)
    wait_until(lambda: re.fullmatch(pattern, log.read_text().strip()) is not None)


def _pattern(wanted: str) -> str:
    """Match a text: its words as they are, any run of spaces, `…` anything."""
    lines = []
    for line in wanted.strip().splitlines():
        words = (re.escape(word).replace("…", ".*") for word in line.split())
        lines.append(r"[ ]*" + r"[ ]+".join(words) + r"[ ]*")
    return r"\n".join(lines)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        opened = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in opened]
