"""Tells why a file failed: from a traceback, from how its process ended, from what it printed."""

from __future__ import annotations

import re
import signal as signals
from collections.abc import Sequence

from dagcatalog_client.parse.model import Failure, FailureKind, Verdict

MAX_MESSAGE_CHARS = 4_000  # ParseFailure.message
MAX_TRACE_BYTES = 64 * 1024  # ParseFailure.stack_trace
TRACE_OUTPUT_CHARS = 8 * 1024  # of the file's last output, behind the traceback
SIGNALS_OF_A_FULL_MEMORY = {"MemoryError", "std::bad_alloc"}

EXCEPTION_LINE = re.compile(r"^([A-Za-z_][\w.]*)(?:: (.*))?$")


def from_traceback(trace: str, file: str, *, source: str | None = None) -> Failure:
    """Tell what a traceback of importing `file` says; `source` is the text of the file."""
    name, said = _exception(trace)
    if source is not None and (wrong := syntax_failure(source, file, trace)):
        return wrong
    kind, message = FailureKind.IMPORT, f"{name}: {said}" if name and said else name or said
    if name == "SystemExit":
        kind, message = FailureKind.CRASH, f"the file called sys.exit({said})"
    elif name == "MemoryError":
        kind, message = FailureKind.MEMORY, memory_message(said)
    return Failure(kind, short(message), trace, line_of(trace, file))


def syntax_failure(source: str, file: str, trace: str = "") -> Failure | None:
    """Tell whether a text is not Python, and where."""
    try:
        compile(source, file, "exec", dont_inherit=True)
    except SyntaxError as error:
        return Failure(
            FailureKind.SYNTAX, f"{type(error).__name__}: {error.msg}", trace, error.lineno or 0
        )
    except (ValueError, RecursionError, MemoryError) as error:  # a NUL byte; too deep to compile
        return Failure(FailureKind.SYNTAX, f"{type(error).__name__}: {error}", trace)
    return None


def from_verdict(verdict: Verdict, file: str, *, answered: bool) -> Failure | None:
    """Tell what the end of a file's process means; None if there is nothing wrong with it."""
    trace = verdict.output[-TRACE_OUTPUT_CHARS:]
    line = line_of(verdict.output, file, newest_first=True)
    if verdict.ended_for is not None:
        return Failure(verdict.ended_for, verdict.reason, trace, line)
    if verdict.signal is not None:
        if any(word in trace for word in SIGNALS_OF_A_FULL_MEMORY):
            return Failure(FailureKind.MEMORY, memory_message(""), trace, line)
        return Failure(FailureKind.CRASH, _killed(verdict.signal), trace, line)
    if answered:
        return None
    return Failure(
        FailureKind.CRASH,
        f"the file ended its process with exit code {verdict.exit_code}",
        trace,
        line,
    )


def with_output(failure: Failure, output: str) -> Failure:
    """Put the last part of what a file printed behind the traceback."""
    tail = output[-TRACE_OUTPUT_CHARS:].strip()
    if not tail or tail in failure.stack_trace:
        return failure
    trace = f"{failure.stack_trace.rstrip()}\n\nlast output of the file:\n{tail}\n".lstrip()
    return Failure(failure.kind, failure.message, trace, failure.line)


def together(failures: Sequence[Failure]) -> Failure | None:
    """Make one failure of several, as a file can report one; the first gives kind and line."""
    if len(failures) < 2:
        return failures[0] if failures else None
    first = failures[0]
    message = short(f"{len(failures)} failures: " + "; ".join(f.message for f in failures))
    trace = "\n".join(f.stack_trace for f in failures if f.stack_trace)
    return Failure(first.kind, message, trace, first.line)


def line_of(trace: str, file: str, *, newest_first: bool = False) -> int:
    """Find the line of `file` that was running; faulthandler prints the newest call first."""
    found = re.findall(rf'File "{re.escape(file)}", line (\d+)', trace)
    if not found:
        return 0
    return int(found[0] if newest_first else found[-1])


def memory_message(said: str) -> str:
    """Say that the memory limit ended a file."""
    return "the file needs more memory than its limit" + (f" ({said})" if said else "")


def short(message: str) -> str:
    """Cut a message to what the catalog takes."""
    return message if len(message) <= MAX_MESSAGE_CHARS else message[: MAX_MESSAGE_CHARS - 1] + "…"


def cut_middle(trace: str) -> str:
    """Cut a traceback to what the catalog takes; its middle goes, as start and end say most."""
    data = trace.encode("utf-8", "replace")
    if len(data) <= MAX_TRACE_BYTES:
        return data.decode("utf-8")
    gap = b"\n... cut ...\n"
    half = (MAX_TRACE_BYTES - len(gap)) // 2
    return (data[:half] + gap + data[-half:]).decode("utf-8", "ignore")


def _exception(trace: str) -> tuple[str, str]:
    """Find the exception's name and first line of text, from the last unindented line that has one."""
    lines = trace.rstrip().splitlines()
    start = max((n for n, text in enumerate(lines) if text.startswith("Traceback ")), default=-1)
    for text in lines[start + 1 :]:
        if (match := EXCEPTION_LINE.match(text)) and not text.startswith(" "):
            return match[1].rpartition(".")[2], (match[2] or "").strip()
    return "", lines[-1] if lines else "the file failed and said nothing"


def _killed(number: int) -> str:
    try:
        name = signals.Signals(number).name
    except ValueError:
        name = "an unnamed signal"
    return f"the file's process was killed by signal {number} ({name})"
