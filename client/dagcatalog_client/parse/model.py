"""What the parse of a DAG file is asked for and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MAX_OUTPUT_BYTES = 64 * 1024  # of a file's stdout and stderr, the last are kept
MAX_ANSWER_BYTES = 512 * 1024**2  # of one file's documents together
MAX_FILE_PROCESSES = 256  # that a file may have running at a time


class FailureKind(StrEnum):
    """Why a file gave no DAG; the names are those of `dagcatalog.v1.ParseErrorKind`."""

    IMPORT = "IMPORT"
    SYNTAX = "SYNTAX"
    TIMEOUT = "TIMEOUT"
    MEMORY = "MEMORY"
    CRASH = "CRASH"
    SERIALIZE = "SERIALIZE"
    REFUSED = "REFUSED"


@dataclass(frozen=True)
class Limits:
    """What the process of one file may use.

    `timeout_s` is wall time. `memory_bytes` is address space beyond what Airflow itself maps.
    """

    timeout_s: float = 30.0
    memory_bytes: int = 2 * 1024**3


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Failure:
    """Why a file, or a DAG of it, failed. `line` counts from 1; 0 if unknown."""

    kind: FailureKind
    message: str
    stack_trace: str = ""
    line: int = 0


@dataclass(frozen=True)
class ParsedDag:
    """A DAG as Airflow serialized it, and the text of the file that defines it."""

    dag_id: str
    document: bytes
    source: str | None = None


@dataclass(frozen=True)
class Answer:
    """What a child gave: files if it was asked to find, otherwise DAGs and what failed."""

    dags: tuple[ParsedDag, ...] = ()
    failures: tuple[Failure, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """How a child ended, as its keeper saw it. Neither code nor signal: the keeper ended it."""

    exit_code: int | None = None
    signal: int | None = None
    ended_for: FailureKind | None = None
    reason: str = ""
    output: str = ""


@dataclass(frozen=True)
class FileOutcome:
    """What the parse of one file gave. A file may give DAGs and a failure."""

    dags: tuple[ParsedDag, ...] = ()
    failure: Failure | None = None
