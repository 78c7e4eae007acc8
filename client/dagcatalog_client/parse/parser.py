"""Starts the zygote and asks it: one file in, one outcome out."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from dagcatalog_client.parse import failures, protocol
from dagcatalog_client.parse.model import Answer, Failure, FailureKind, FileOutcome, Limits
from dagcatalog_client.parse.request import FindRequest, ParseRequest, Request, encode_request

START_TIMEOUT_S = 180.0  # Airflow takes 5 s, on a cold disk and a busy machine many more
STOP_TIMEOUT_S = 5.0
FIND_LIMITS = Limits(timeout_s=300.0)
MAX_STARTS = 4  # a file may kill the zygote; then it is started again
WINDOW = 4  # files a job may be ahead of the one that is waited for

# The package is made bare, so that its __init__ (and with it grpc) is not imported, and so that
# the other interpreter needs nothing but Airflow. The current folder is no place for modules.
BOOTSTRAP = """
import sys, types
sys.path[:] = [path for path in sys.path if path]
package = types.ModuleType("dagcatalog_client")
package.__path__ = [sys.argv[1]]
sys.modules["dagcatalog_client"] = package
from dagcatalog_client.parse.zygote import main
main(int(sys.argv[2]))
"""


class ParserError(Exception):
    """No file can be parsed: there is no Airflow, or its process does not start."""


class Parser:
    """Parses DAG files in processes of their own; a context manager.

    Args:
        python: the interpreter that has Airflow.
        jobs: how many files are parsed at a time.

    Raises:
        ParserError: on entering, if that interpreter cannot import Airflow.

    """

    def __init__(self, *, python: str = sys.executable, jobs: int | None = None) -> None:
        self.python = python
        self.jobs = jobs or len(os.sched_getaffinity(0))
        self.airflow_version = ""
        self._lock = threading.Lock()
        self._again = threading.Lock()
        self._closed = False
        self._home_is_ours = not os.environ.get("AIRFLOW_HOME")
        self._starts = 0
        self._zygote: subprocess.Popen[bytes] | None = None
        self._control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._folder = contextlib.ExitStack()

    def __enter__(self) -> Parser:
        home = self._folder.enter_context(
            tempfile.TemporaryDirectory(prefix="dagctl-", ignore_cleanup_errors=True)
        )
        self._home = Path(home)
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the zygote; it takes everything that it started with it."""
        self._closed = True
        self._stop()
        self._folder.close()

    def find(self, root: str) -> tuple[str, ...]:
        """List the files below `root` that Airflow would parse, as absolute paths, sorted.

        Raises:
            ParserError: the search itself failed.

        """
        answer, failure = self._ask(FindRequest(root, FIND_LIMITS), root)
        if failure is not None:
            raise ParserError(f"cannot search {root}: {failure.message}\n{failure.stack_trace}")
        return answer.files

    def parse(self, request: ParseRequest) -> FileOutcome:
        """Parse one file; waits for it, at most its time limit and a little."""
        if self._home_is_ours:
            request = replace(request, dags_folder=request.root)
        answer, failure = self._ask(request, request.file)
        failed = failures.together([*answer.failures, *([failure] if failure else [])])
        return FileOutcome(answer.dags, failed)

    def parse_all(
        self, requests: Sequence[ParseRequest]
    ) -> Generator[tuple[ParseRequest, FileOutcome], None, None]:
        """Parse files side by side; give the outcomes in the order of the requests."""
        waiting: deque[tuple[ParseRequest, Future[FileOutcome]]] = deque()
        left = iter(requests)
        with ThreadPoolExecutor(self.jobs, "parse") as pool:
            try:
                while True:
                    for request in left:
                        waiting.append((request, pool.submit(self.parse, request)))
                        if len(waiting) >= self.jobs * WINDOW:
                            break
                    if not waiting:
                        return
                    request, outcome = waiting.popleft()
                    yield request, outcome.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self._closed = True
                self._stop()  # ends the answers that the threads wait for
                raise

    def _ask(self, request: Request, file: str) -> tuple[Answer, Failure | None]:
        data = self._exchange(request)
        if not data:
            # Somebody killed the keeper: this file, or one beside it. Those that are asked again
            # go one by one, so that the guilty one cannot take the same neighbour down twice.
            with self._again:
                data = self._exchange(request)
        return read_answer(data, file)

    def _exchange(self, request: Request) -> bytes:
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                self._send(encode_request(request), theirs.fileno())
            return _read_all(ours)

    def _send(self, message: bytes, fd: int) -> None:
        with self._lock:
            for _ in range(MAX_STARTS):
                if self._closed:
                    break
                try:
                    socket.send_fds(self._control, [message], [fd])
                except OSError:  # a file has killed the zygote
                    self._stop()
                    self._start()
                else:
                    return
        raise ParserError("the parser has ended")

    def _start(self) -> None:
        self._starts += 1
        if self._starts > MAX_STARTS:
            raise ParserError("the parser's process was killed too often")
        self._control.close()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        package = Path(__file__).resolve().parent.parent
        with theirs, (self._home / "zygote.log").open("wb") as log:
            try:
                self._zygote = subprocess.Popen(  # noqa: S603 - the user names the interpreter
                    [self.python, "-c", BOOTSTRAP, str(package), str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._environment(),
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # Ctrl-C is for dagctl, which then ends the zygote
                )
            except OSError as error:
                raise ParserError(f"cannot run {self.python}: {error.strerror}") from error
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        self._control.settimeout(START_TIMEOUT_S)
        try:
            message = self._control.recv(64 * 1024)
        except TimeoutError as error:
            raise ParserError(f"Airflow was not imported in {START_TIMEOUT_S:g} s") from error
        except ConnectionError:
            message = b""
        self._control.settimeout(None)
        ready = json.loads(message or "{}")
        if "airflow" not in ready:
            raise ParserError(self._why_not(ready.get("error", "")))
        self.airflow_version = ready["airflow"]

    def _why_not(self, error: str) -> str:
        if "No module named 'airflow'" in error:
            return (
                f"there is no Airflow in {self.python}: install apache-airflow beside dagctl, or "
                "name the interpreter that has it with --python"
            )
        log = (self._home / "zygote.log").read_text("utf-8", "replace")[-4000:]
        return f"Airflow cannot be imported by {self.python}: {error}\n{log}".rstrip()

    def _environment(self) -> dict[str, str]:
        # Sets are written in the order of their hashes: the same seed, the same document.
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        if self._home_is_ours:
            environment["AIRFLOW_HOME"] = str(self._home)
        return environment

    def _stop(self) -> None:
        self._control.close()
        if self._zygote is not None:
            try:
                self._zygote.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._zygote.kill()
                self._zygote.wait()


def read_answer(data: bytes, file: str) -> tuple[Answer, Failure | None]:
    """Judge what came back for a file: a keeper's verdict and a child's frames, either cut off."""
    try:
        verdict, rest = protocol.split_verdict(data)
    except protocol.ProtocolError:
        message = "the file killed the process that watched over it"
        return Answer(), Failure(FailureKind.CRASH, message)
    try:
        answer = protocol.decode_answer(rest) if rest else None
    except protocol.ProtocolError as error:
        answer = None
        if verdict.exit_code == 0:
            return Answer(), Failure(FailureKind.CRASH, str(error), verdict.output)
    failure = failures.from_verdict(verdict, file, answered=answer is not None)
    if answer is None or failure is not None:
        return Answer(), failure
    told = tuple(failures.with_output(failure, verdict.output) for failure in answer.failures)
    return Answer(answer.dags, told, answer.files), None


def _read_all(end: socket.socket) -> bytes:
    data = bytearray()
    with contextlib.suppress(ConnectionError):
        while chunk := end.recv(1024 * 1024):
            data += chunk
    return bytes(data)
