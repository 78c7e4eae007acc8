"""Whatever a DAG file does, the load goes on: it becomes a parse error, and the rest is loaded."""

import zipfile
from pathlib import Path

import psutil
import pytest

from dagcatalog_client import Client
from dagcatalog_client.model import ParseErrorKind
from tests.airflow.conftest import Load

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(300)]

START = "from airflow.sdk import DAG\n"
BASH = START + "from airflow.providers.standard.operators.bash import BashOperator\n"

NASTY = {
    "aborts": (START + "import os\nos.abort()", "CRASH", 3),
    "closes_all": (START + "import os\nos.closerange(0, 5000)", "CRASH", None),
    "exits": (START + "import os\nos._exit(0)", "CRASH", None),
    "forks": (START + "import os\nwhile True: os.fork()", "CRASH", None),
    "import_error": (START + "import no_such_module", "IMPORT", 2),
    "holds_lock": (START + "import re\nre.match('(a*)*b', 'a' * 60)", "TIMEOUT", 3),
    "interrupts": (START + "raise KeyboardInterrupt", "IMPORT", 2),
    "kills_itself": (START + "import os\nos.kill(os.getpid(), 9)", "CRASH", None),
    "kills_keeper": (START + "import os\nos.kill(os.getppid(), 9)", "CRASH", None),
    "loops": (START + "while True: pass", "TIMEOUT", 2),
    "ignores_signals": (
        START + "import signal\nfor n in (14, 15): signal.signal(n, signal.SIG_IGN)\nwhile 1: pass",
        "TIMEOUT",
        4,
    ),
    "memory": (START + "x = []\nwhile True: x.append(bytes(2**20))", "MEMORY", 3),
    "nan": (
        BASH + "with DAG('nan'): BashOperator(task_id='t', bash_command='x', env={'A': 1e999})",
        "SERIALIZE",
        None,
    ),
    "not_json": (
        BASH + "with DAG('not_json'): BashOperator(task_id='t', bash_command='\\ud800')",
        "SERIALIZE",
        None,
    ),
    "segfaults": (START + "import ctypes\nctypes.string_at(0)", "CRASH", None),
    "syntax": (START + "x = (\n", "SYNTAX", 2),
    "sys_exit": (START + "import sys\nsys.exit('enough')", "CRASH", 3),
    "too_large": (
        START + "with DAG('small'): pass\nwith DAG('too_large', doc_md='x' * 17 * 2**20): pass",
        "REFUSED",
        None,
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, (text, _, _) in NASTY.items():
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "good.py").write_text(START + "a = DAG('good')\nb = DAG('better')")
    printing = "for n in range(300_000): print('x' * 60)\n"
    (tmp_path / "prints.py").write_text(START + printing + "a = DAG('prints')")
    leaves = "import subprocess\nsubprocess.Popen(['setsid', '-f', 'sleep', '7779'])\n"
    (tmp_path / "leaves.py").write_text(START + leaves + "a = DAG('leaves')")
    return tmp_path


def test_every_nasty_file_is_an_error_of_its_kind_and_the_rest_load(
    folder: Path, load: Load, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--bundle", "nasty", "--file-timeout", 5, "--file-memory", "512M", folder)
    loaded = load(*arguments)
    assert loaded.code == 1
    assert loaded.kinds == {f"{name}.py": kind for name, (_, kind, _) in NASTY.items()}
    assert loaded.outcomes.keys() == {"good", "better", "prints", "leaves", "small"}

    told = {error.file: error for error in client.list_parse_errors(bundle_name="nasty")}
    assert {file: error.kind.name for file, error in told.items()} == loaded.kinds
    lines = {f"{name}.py": line for name, (_, _, line) in NASTY.items() if line is not None}
    assert {file: told[file].line for file in lines} == lines
    assert all(error.message for error in told.values())
    assert "env.A" in told["nan.py"].message
    assert "too_large" in told["too_large.py"].message
    assert "7779" not in _command_lines()
    with capsys.disabled():
        print(
            f"\nnasty files: {len(NASTY)} of {len(NASTY)} are an error of the right kind; ", end=""
        )
        print(f"{len(loaded.outcomes)} DAGs beside them loaded, {loaded.report['seconds']} s")


def test_a_file_that_is_mended_is_no_error_any_more(
    tmp_path: Path, load: Load, client: Client
) -> None:
    dag = tmp_path / "dag.py"
    dag.write_text(START + "x = (")
    (tmp_path / "gone.py").write_text(START + "x = (")
    assert load("--bundle", "mended", tmp_path).code == 1
    dag.write_text(START + "a = DAG('mended')")
    (tmp_path / "gone.py").unlink()
    assert load("--bundle", "mended", tmp_path).code == 0
    assert list(client.list_parse_errors(bundle_name="mended")) == []


def test_a_file_that_breaks_keeps_the_dags_it_had(
    tmp_path: Path, load: Load, client: Client
) -> None:
    dag = tmp_path / "dag.py"
    dag.write_text(START + "a = DAG('kept')\nb = DAG('dropped')")
    load("--bundle", "breaks", tmp_path)
    dag.write_text(START + "a = DAG('kept')\nraise ValueError")
    assert load("--bundle", "breaks", tmp_path).kinds == {"dag.py": "IMPORT"}
    assert not client.get("dropped").summary.deleted
    dag.write_text(START + "a = DAG('kept')")
    assert load("--bundle", "breaks", tmp_path).report["counts"]["deleted"] == 1


def test_files_that_vanish_are_told_of_and_pruned_when_asked(
    tmp_path: Path, load: Load, client: Client
) -> None:
    for name in ("stays", "goes"):
        (tmp_path / f"{name}.py").write_text(START + f"a = DAG('{name}')")
    load("--bundle", "pruned", tmp_path)
    (tmp_path / "goes.py").unlink()
    assert load("--bundle", "pruned", tmp_path).report["vanished"] == {"goes.py": ["goes"]}
    pruned = load("--bundle", "pruned", "--prune", tmp_path)
    assert pruned.report["counts"]["deleted"] == 1
    assert load("--bundle", "pruned", tmp_path).report["vanished"] == {}


def test_airflowignore_archives_and_documents(tmp_path: Path, load: Load, client: Client) -> None:
    (tmp_path / ".airflowignore").write_text("hidden*\n")
    (tmp_path / "hidden.py").write_text(START + "a = DAG('hidden')")
    (tmp_path / "library.py").write_text("raise RuntimeError('nobody may import this')")
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("inner.py", START + "import beside\na = DAG(beside.NAME)")
        archive.writestr("beside.py", "NAME = 'packed'")
    (tmp_path / "ready.json").write_text(
        '{"__version": 3, "dag": {"dag_id": "ready", "tasks": []}}'
    )
    (tmp_path / "settings.json").write_text("{}")
    loaded = load("--bundle", "mixed", tmp_path)
    assert loaded.code == 0, loaded.report["failures"]
    assert loaded.outcomes == {"packed": "CREATED", "ready": "CREATED"}
    files = {dag["dag_id"]: dag["file"] for dag in loaded.report["dags"]}
    assert files == {"packed": "packed.zip", "ready": "ready.json"}
    broken = tmp_path / "broken.json"
    broken.write_text("{\n  x")
    assert load("--bundle", "broken", broken).kinds == {"broken.json": "SYNTAX"}


def test_a_dag_of_two_files_belongs_to_the_first(
    tmp_path: Path, load: Load, client: Client
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text(START + f"a = DAG('twice', description='{name}')")
    for _ in range(2):
        loaded = load("--bundle", "twice", tmp_path)
        assert loaded.kinds == {"b.py": "IMPORT"}
        assert client.get("twice").summary.description == "a"
    assert loaded.outcomes == {"twice": "UNCHANGED"}


def test_parse_error_kinds_are_those_of_the_contract() -> None:
    assert {kind for _, kind, _ in NASTY.values()} == {kind.name for kind in ParseErrorKind} - {
        "UNSPECIFIED"
    }


def _command_lines() -> str:
    return " ".join(
        argument
        for process in psutil.process_iter(["cmdline"])
        for argument in process.info["cmdline"] or []
    )
