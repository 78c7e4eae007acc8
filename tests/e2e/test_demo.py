"""`make demo` twice: the second run finds every example DAG UNCHANGED."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.waiting import wait_until

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(400)]

ROOT = Path(__file__).resolve().parents[2]
AIRFLOW_PYTHON = ROOT / ".venvs" / "airflow-3.3.2" / "bin" / "python"
COUNTS = re.compile(r"^(\d+) DAGs in (\d+) files: (.*)$", re.MULTILINE)


def test_the_demo_shows_everything_and_then_finds_nothing_new(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (_run(tmp_path / ".demo") for _ in range(2))
    examples, standard, copied, edited = map(_counts, COUNTS.findall(first))
    assert (examples["DAGs"], standard["DAGs"]) == (90, 23)
    assert (examples["created"], standard["created"], copied["created"]) == (90, 23, 4)
    assert (edited["new version"], edited["unchanged"]) == (1, 3)

    again = [*map(_counts, COUNTS.findall(second))]
    assert [counts["unchanged"] for counts in again] == [90, 23, 4, 3]
    assert again[-1]["new version"] == 1
    assert "every DAG UNCHANGED" in second
    for said in (first, second):
        assert re.search(r"NEW_VERSION +tutorial +v\d+ +schedule", said)
        assert '"dagId": "tutorial"' in said
        assert "$ grpcurl -plaintext" in said
        assert "the server ended with exit code 0" in said
        assert "Try next:" in said
    with capsys.disabled():
        print("\ndemo: 113 example DAGs created, in the second run 113 UNCHANGED")


def test_an_interrupted_demo_leaves_nothing_running(tmp_path: Path) -> None:
    folder = tmp_path / ".demo"
    # Whoever runs the tests in the background lets them ignore the signal, and all that they start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        demo = subprocess.Popen(_command(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    finally:
        signal.signal(signal.SIGINT, before)
    with demo:
        wait_until(lambda: bool(_of(folder)))
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 130
    assert _of(folder) == []


def test_a_demo_that_fails_says_so(tmp_path: Path) -> None:
    (tmp_path / ".demo").write_text("in the way")
    done = subprocess.run(
        _command(tmp_path / ".demo"), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "the demo failed" in done.stderr


def _run(folder: Path) -> str:
    done = subprocess.run(
        _command(folder),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "AIRFLOW_HOME": "/nonexistent", "DAGCATALOG_ADDRESS": "127.0.0.1:1"},
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _command(folder: Path) -> list[str]:
    if not AIRFLOW_PYTHON.exists():
        pytest.fail(f"there is no Airflow at {AIRFLOW_PYTHON}: run `make setup-airflow` first")
    demo = ROOT / "tools" / "demo.py"
    arguments = ["--airflow-python", AIRFLOW_PYTHON, "--folder", folder]
    return [sys.executable, str(demo), *map(str, arguments)]


def _counts(found: tuple[str, str, str]) -> dict[str, int]:
    dags, files, told = found
    counted = (part.rpartition(" ") for part in told.split(", "))
    return {"DAGs": int(dags), "files": int(files)} | {name: int(n) for name, _, n in counted}


def _of(folder: Path) -> list[list[str]]:
    """Processes that the demo of this folder started: its server names the database there."""
    return [
        process.info["cmdline"]
        for process in psutil.process_iter(["cmdline"])
        if any(f"{folder}/catalog.db" in part for part in process.info["cmdline"] or [])
    ]
