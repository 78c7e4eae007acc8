"""What runs in the process of one file: parse it, serialize its DAGs, write the answer."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import resource
import sys
import tokenize
import traceback
import zipfile
from pathlib import Path

from dagcatalog_client.parse import airflow_bag, failures, protocol
from dagcatalog_client.parse.documents import NotJson, dump
from dagcatalog_client.parse.model import Answer, Failure, FailureKind, Limits, ParsedDag
from dagcatalog_client.parse.request import FindRequest, ParseRequest

# A file that meets the memory limit may not lift it; answering may take this much more.
ANSWER_RESERVE_BYTES = 64 * 1024**2


def find(request: FindRequest, answer_fd: int) -> None:
    """Answer with the files that Airflow would parse in a folder."""
    files = airflow_bag.find_files(request.root)
    protocol.write_all(answer_fd, protocol.encode_answer(Answer(files=tuple(sorted(files)))))


def parse(request: ParseRequest, answer_fd: int) -> None:
    """Answer with the DAGs of a file, and with what failed."""
    us = os.getpid()
    _take_limits(request.limits)
    try:
        answer = _parse(request)
    except MemoryError as error:
        answer = Answer(failures=(_raised(error, request),))
    # A DAG file that forks comes back twice; only the process that was asked may answer.
    if os.getpid() != us:
        return
    _allow_the_reserve()
    sys.stdout.flush()
    sys.stderr.flush()
    protocol.write_all(answer_fd, protocol.encode_answer(answer))


def _parse(request: ParseRequest) -> Answer:
    source = _text(request.file)
    try:
        bag = airflow_bag.parse_file(request)
    except BaseException as error:  # noqa: BLE001 - all that a file may raise
        return Answer(failures=(_raised(error, request, source),))
    failed = [
        failures.from_traceback(trace, path, source=source if path == request.file else None)
        for path, trace in bag.errors
    ]
    done: list[ParsedDag] = []
    for dag in bag.dags:
        try:
            document = dump(airflow_bag.serialize(dag.dag))
        except Exception as error:  # noqa: BLE001 - user code runs here
            failed.append(_not_serialized(dag.dag_id, error, request.file))
        else:
            text = source if dag.fileloc == request.file else _text_in_archive(dag.fileloc)
            done.append(ParsedDag(dag.dag_id, document, text))
    return Answer(dags=tuple(done), failures=tuple(failed))


def _raised(error: BaseException, request: ParseRequest, source: str | None = None) -> Failure:
    trace = "".join(traceback.format_exception(error))
    return failures.from_traceback(trace, request.file, source=source)


def _not_serialized(dag_id: str, error: Exception, file: str) -> Failure:
    # A value that is no JSON was found by us: where we stood tells nobody anything.
    told = isinstance(error, NotJson)
    trace = "" if told else "".join(traceback.format_exception(error))
    said = str(error) if told else f"{type(error).__name__}: {error}"
    message = failures.short(f"DAG {dag_id!r} cannot be serialized: {said}")
    return Failure(FailureKind.SERIALIZE, message, trace, failures.line_of(trace, file))


def _take_limits(limits: Limits) -> None:
    """Set the limits, and have the interpreter say where it was when it dies or hangs.

    The address space is limited, not the data segment: anonymous shared memory counts too. The
    traceback at the time limit is written by a thread in C that needs no interpreter lock, so a
    file that holds the lock is told of as well.
    """
    gc.unfreeze()
    soft = _mapped_bytes() + limits.memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (soft, soft + ANSWER_RESERVE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable(file=2)
    faulthandler.dump_traceback_later(limits.timeout_s, file=2)


def _allow_the_reserve() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def _mapped_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    return pages * resource.getpagesize()


def _text(file: str) -> str | None:
    """Read the text of a Python file; None if it is an archive or not readable as text."""
    with contextlib.suppress(OSError, SyntaxError, ValueError), tokenize.open(file) as opened:
        return opened.read()
    return None


def _text_in_archive(fileloc: str) -> str | None:
    """Read the text of `archive.zip/file.py`."""
    archive, _, name = fileloc.rpartition("/")
    with (
        contextlib.suppress(OSError, KeyError, ValueError, zipfile.BadZipFile),
        zipfile.ZipFile(archive) as opened,
    ):
        return opened.read(name).decode("utf-8")
    return None
