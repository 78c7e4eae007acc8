"""A file can fail, hang, die or run wild: it is one failure, and nothing of it is left behind."""

import json
import time
from pathlib import Path

import psutil
import pytest

from dagcatalog_client.parse.model import FailureKind, Limits
from dagcatalog_client.parse.parser import Parser
from dagcatalog_client.parse.request import ParseRequest
from tests.unit.parse.conftest import Parse

NASTY = {
    "raises": ("import json\njson.loads('{')", FailureKind.IMPORT, 2),
    "is no Python": ("x = (\n", FailureKind.SYNTAX, 1),
    "holds a NUL": ("x = 1\0", FailureKind.SYNTAX, None),
    "calls sys.exit": ("import sys\nsys.exit(3)", FailureKind.CRASH, 2),
    "calls os._exit": ("import os\nos._exit(0)", FailureKind.CRASH, None),
    "aborts": ("import os\nos.abort()", FailureKind.CRASH, 2),
    "has a segmentation fault": ("import ctypes\nctypes.string_at(0)", FailureKind.CRASH, None),
    "kills itself": ("import os\nos.kill(os.getpid(), 9)", FailureKind.CRASH, None),
    "kills its keeper": ("import os\nos.kill(os.getppid(), 9)", FailureKind.CRASH, None),
    "loops": ("while True: pass", FailureKind.TIMEOUT, 1),
    "sleeps": ("import time\ntime.sleep(1000)", FailureKind.TIMEOUT, 2),
    "ignores signals": (
        "import signal\nfor n in (14, 15): signal.signal(n, signal.SIG_IGN)\nwhile True: pass",
        FailureKind.TIMEOUT,
        3,
    ),
    "holds the interpreter lock": (
        "import re\nre.match('(a*)*b', 'a' * 60)",
        FailureKind.TIMEOUT,
        2,
    ),
    "eats memory": ("x = []\nwhile True: x.append(bytes(2**20))", FailureKind.MEMORY, 2),
    "eats shared memory": ("import mmap\nx = mmap.mmap(-1, 2**30)", FailureKind.IMPORT, 2),
    "cannot be serialized": (
        "from airflow.sdk import DAG\nd = DAG('d', lambda: 1 / 0)",
        FailureKind.SERIALIZE,
        2,
    ),
    "has a NaN": (
        "from airflow.sdk import DAG\nd = DAG('d', {'a': [1, float('nan')]})",
        FailureKind.SERIALIZE,
        None,
    ),
    "writes into every pipe": (
        "import os\nfor fd in range(3, 2000):\n  try: os.write(fd, b'x' * 9)\n  except OSError: pass",
        FailureKind.CRASH,
        None,
    ),
    "closes every file": ("import os\nos.closerange(0, 2000)", FailureKind.CRASH, None),
    "interrupts itself": ("raise KeyboardInterrupt", FailureKind.IMPORT, 1),
    "is deep": ("x = " + "(" * 5000 + ")" * 5000, FailureKind.SYNTAX, None),
}


@pytest.mark.parametrize("name", NASTY)
def test_a_file_that(parse: Parse, name: str) -> None:
    text, kind, line = NASTY[name]
    outcome = parse(text)
    assert outcome.failure is not None
    assert outcome.failure.kind is kind, outcome.failure
    assert outcome.failure.message
    if line is not None:
        assert outcome.failure.line == line, outcome.failure
    assert parse("from airflow.sdk import DAG\nd = DAG('after')").dags[0].dag_id == "after"


def test_the_place_of_a_nan_is_named(parse: Parse) -> None:
    failure = parse("from airflow.sdk import DAG\nd = DAG('d', {'a': [1, float('inf')]})").failure
    assert failure is not None
    assert "DAG 'd'" in failure.message
    assert "dag.value.a[1]" in failure.message


def test_a_file_that_fails_in_part_gives_its_other_dags(parse: Parse) -> None:
    outcome = parse(
        "from airflow.sdk import DAG\ngood = DAG('good')\nbad = DAG('bad', float('nan'))"
    )
    assert [dag.dag_id for dag in outcome.dags] == ["good"]
    assert outcome.failure is not None


def test_output_does_not_disturb_and_its_end_is_kept(parse: Parse) -> None:
    printed = (
        "import sys\nfor n in range(200_000): print('x' * 60)\nprint('the last', flush=True)\n"
    )
    assert parse(printed + "from airflow.sdk import DAG\nd = DAG('d')").dags
    failure = parse(printed + "raise ValueError('no')").failure
    assert failure is not None
    assert failure.message == "ValueError: no"
    assert failure.stack_trace.endswith("the last\n")
    assert len(failure.stack_trace) < 64 * 1024


def test_what_a_file_starts_ends_with_it(parse: Parse) -> None:
    outcome = parse(
        "import subprocess\n"
        "subprocess.Popen(['sleep', '7777'])\n"
        "subprocess.Popen(['setsid', '-f', 'sleep', '7778'])\n"
        "from airflow.sdk import DAG\nd = DAG('d')"
    )
    assert outcome.dags
    assert not outcome.failure
    assert not _running("7777")
    assert not _running("7778")


def test_a_fork_bomb_ends(parse: Parse) -> None:
    outcome = parse("import os\nwhile True: os.fork()")
    assert outcome.failure is not None
    assert outcome.failure.kind in (FailureKind.CRASH, FailureKind.TIMEOUT)
    assert not [p for p in psutil.process_iter(["cmdline"]) if _is_child_of_a_zygote(p)]


def test_a_file_that_forks_answers_once(parse: Parse) -> None:
    outcome = parse("import os\nos.fork()\nfrom airflow.sdk import DAG\nd = DAG('once')")
    assert [dag.dag_id for dag in outcome.dags] == ["once"]


def test_a_file_that_kills_the_zygote_does_not_end_the_load(parser: Parser, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "import os\nppid = int(open(f'/proc/{os.getppid()}/stat').read().split()[3])\n"
        "os.kill(ppid, 9)\nimport time\ntime.sleep(9)"
    )
    for name in "bcdef":
        (tmp_path / f"{name}.py").write_text(f"from airflow.sdk import DAG\nd = DAG('{name}')")
    limits = Limits(timeout_s=5.0)
    requests = [
        ParseRequest(file, str(tmp_path), "b", limits) for file in parser.find(str(tmp_path))
    ]
    outcomes = [outcome for _, outcome in parser.parse_all(requests)]
    assert outcomes[0].failure is not None
    assert [dag.dag_id for outcome in outcomes for dag in outcome.dags] == list("bcdef")


def test_outcomes_come_in_the_order_of_the_files(parser: Parser, tmp_path: Path) -> None:
    for place in range(12):
        wait = "import time\ntime.sleep(0.5)\n" if place == 0 else ""
        text = f"{wait}from airflow.sdk import DAG\nd = DAG('d{place:02}')"
        (tmp_path / f"{place:02}.py").write_text(text)
    requests = [ParseRequest(file, str(tmp_path), "b") for file in parser.find(str(tmp_path))]
    outcomes = list(parser.parse_all(requests))
    assert [o.dags[0].dag_id for _, o in outcomes] == [f"d{n:02}" for n in range(12)]


def test_a_made_up_home_does_not_show_in_the_documents(parse: Parse, tmp_path: Path) -> None:
    (dag,) = parse("from airflow.sdk import DAG\nd = DAG('d')").dags
    assert json.loads(dag.document)["dag"]["in"] == str(tmp_path)


def test_leaving_a_listing_early_ends_what_runs(tmp_path: Path, parser: Parser) -> None:
    for place in range(4):
        (tmp_path / f"{place}.py").write_text("import time\ntime.sleep(60)")
    (tmp_path / "0.py").write_text("pass")
    with Parser(python=parser.python, jobs=2) as other:
        requests = [
            ParseRequest(file, str(tmp_path), "b", Limits(60.0))
            for file in other.find(str(tmp_path))
        ]
        outcomes = other.parse_all(requests)
        next(outcomes)
        started = time.monotonic()
        outcomes.close()
        assert time.monotonic() - started < 30  # not the 60 of what runs


def _running(argument: str) -> bool:
    return any(argument in (p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"]))


def _is_child_of_a_zygote(process: psutil.Process) -> bool:
    """Whether it is neither the module's zygote nor something else altogether."""
    try:
        parent = process.parent()
        mine = "dagcatalog_client.parse.zygote" in " ".join(process.info["cmdline"] or [])
        theirs = parent and "dagcatalog_client.parse.zygote" in " ".join(parent.cmdline())
    except psutil.Error:
        return False
    return bool(mine and theirs and process.status() != psutil.STATUS_ZOMBIE)
