"""`dagctl` as people and programs use it: a process against a real server."""

import json
import signal
from pathlib import Path

import pytest
import yaml

from dagcatalog_client import ParseErrorKind, ParseFailure, ParseResult
from tests.support.dagctl import Dagctl
from tests.support.dags import dag_document

LONG_NAME = "a_dag_whose_name_tells_its_department_its_purpose_and_the_year_2026"


def test_a_document_is_put_and_shown(dagctl: Dagctl, tmp_path: Path) -> None:
    file = _write(tmp_path, "etl", description="Loads [bold]things[/bold] \x1b[31m")
    (tmp_path / "etl.py").write_text("# the file\n")
    source = str(tmp_path / "etl.py")
    put = dagctl("put", str(file), "--source", source, "--label", "team=data")
    assert (put.returncode, put.stderr) == (0, "")
    assert put.stdout.startswith("etl: created, version 1 (revision ")
    shown = dagctl("get", "etl")
    assert "team=data" in shown.stdout
    assert "Loads [bold]things[/bold] \N{REPLACEMENT CHARACTER}[31m" in shown.stdout
    assert '"task_id": "extract"' in shown.stdout
    assert "\x1b" not in shown.stdout
    assert dagctl("get", "etl", "--source").stdout == "# the file\n"
    assert '"task_id"' not in dagctl("get", "etl", "--summary").stdout


def test_raw_prints_the_exact_bytes(dagctl: Dagctl) -> None:
    dagctl.client.put("etl", dag_document("etl", description="é"))
    raw = dagctl("get", "etl", "--raw").stdout
    assert raw.encode() == dagctl.client.get("etl").document


def test_put_reads_standard_input_and_can_only_check(dagctl: Dagctl) -> None:
    document = json.dumps(dag_document("etl"))
    dry = dagctl("put", "-", "--dry-run", stdin=document)
    assert dry.stdout == "etl: would be created, version 1\n"
    assert dagctl("get", "etl").returncode == 3
    assert dagctl("-o", "name", "put", "-", stdin=document).stdout == "etl\n"


def test_an_old_version_and_a_past_revision_can_be_read(dagctl: Dagctl) -> None:
    first = dagctl.client.put("etl", dag_document("etl", tags=["old"]))
    dagctl.client.put("etl", dag_document("etl", tags=["new"]))
    for chosen in (("--version", "1"), ("--at", str(first.position.revision))):
        answer = json.loads(dagctl("get", "etl", *chosen, "-o", "json").stdout)
        assert answer["summary"]["tags"] == ["old"]
        assert answer["document"]["dag"]["tags"] == ["old"]


def test_a_list_has_a_form_for_everyone(dagctl: Dagctl) -> None:
    dagctl.client.put("a", dag_document("a", tags=["red"]))
    dagctl.client.put("b", dag_document("b"))
    assert dagctl("list").stdout.splitlines()[0].split()[:2] == ["DAG", "VERSION"]
    assert [s["dag_id"] for s in json.loads(dagctl("list", "-o", "json").stdout)] == ["a", "b"]
    assert yaml.safe_load(dagctl("-o", "yaml", "list").stdout)[0]["schedule"]["kind"] == "CRON"
    assert dagctl("list", "-o", "name", "--tag", "red", "--schedule", "cron").stdout == "a\n"
    assert dagctl("list", "-o", "name", "--order-by", "dag_id desc", "--limit", "1").stdout == "b\n"
    assert dagctl("-o", "name", "list", "-n", "no-such").stdout == ""


def test_a_table_fits_the_terminal_and_shows_every_name(dagctl: Dagctl) -> None:
    dagctl.client.put(LONG_NAME, dag_document(LONG_NAME, tags=["finance", "hourly", "gold"]))
    lines = dagctl("list", columns=80).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "".join(line.split(" ")[0] for line in lines[1:]) == LONG_NAME
    assert LONG_NAME in dagctl("list").stdout


def test_a_history_lists_every_version(dagctl: Dagctl) -> None:
    for tag in ("x", "y"):
        dagctl.client.put("etl", dag_document("etl", tags=[tag]))
    rows = dagctl("history", "etl").stdout.splitlines()[1:]
    assert [row.split()[0] for row in rows] == ["2*", "1"]
    assert dagctl("history", "etl", "--limit", "1", "-o", "name").stdout == "2\n"


def test_a_deletion_is_confirmed_and_undone(dagctl: Dagctl) -> None:
    dagctl.client.put("etl", dag_document("etl"))
    refused = dagctl("delete", "etl", stdin="n\n")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "nothing was deleted" in refused.stderr
    unanswered = dagctl("delete", "etl")
    assert unanswered.returncode == 2
    assert "add --yes" in unanswered.stderr
    assert "etl: deleted" in dagctl("delete", "etl", "--yes", "--reason", "old").stdout
    assert dagctl("list", "--deleted", "-o", "name").stdout == "etl\n"
    assert "etl: restored" in dagctl("restore", "etl").stdout


def test_parse_errors_are_listed(dagctl: Dagctl) -> None:
    assert dagctl("errors").stderr == "no parse errors\n"
    failure = ParseFailure("no colon", ParseErrorKind.SYNTAX, stack_trace="the trace", line=7)
    dagctl.client.report_parse([ParseResult("a.py", failure)], bundle_name="b")
    told = dagctl("errors", "--traces").stdout
    assert "b:a.py" in told
    assert "no colon" in told
    assert "the trace" in told


def test_the_status_names_the_store_and_the_namespaces(dagctl: Dagctl) -> None:
    dagctl.client.put("etl", dag_document("etl"))
    told = dagctl("status").stdout
    assert "sqlite" in told
    assert dagctl.client.namespace in told
    assert json.loads(dagctl("status", "-o", "json").stdout)["position"]["revision"] > 0


def test_a_watch_prints_a_line_for_each_change(dagctl: Dagctl) -> None:
    start = dagctl.client.put("a", dag_document("a")).position.revision
    dagctl.client.put("b", dag_document("b"))
    dagctl.client.delete("b")
    after = ("watch", "--after", str(start), "--count", "2")
    lines = dagctl(*after).stdout.splitlines()
    assert [line.split()[3:6] for line in lines] == [["CREATED", "b", "v1"], ["DELETED", "b", "v1"]]
    events = [json.loads(line) for line in dagctl(*after, "-o", "json").stdout.splitlines()]
    assert [event["kind"] for event in events] == ["CREATED", "DELETED"]
    assert events[0]["dag"]["dag_id"] == "b"


def test_a_watch_shows_the_present_then_follows_until_it_is_interrupted(dagctl: Dagctl) -> None:
    dagctl.client.put("a", dag_document("a"))
    watching = dagctl.start("-o", "json", "watch", "--initial")
    assert watching.stdout is not None
    present, synced = (json.loads(watching.stdout.readline()) for _ in range(2))
    assert (present["event"], present["dag"]["dag_id"], synced["event"]) == (
        "present",
        "a",
        "synced",
    )
    dagctl.client.put("b", dag_document("b"))
    assert json.loads(watching.stdout.readline())["dag"]["dag_id"] == "b"
    watching.send_signal(signal.SIGINT)
    _, errors = watching.communicate(timeout=20)
    assert watching.returncode == 130
    assert "Traceback" not in errors


def test_a_watch_says_from_where_it_sees_every_change(dagctl: Dagctl) -> None:
    start = dagctl.client.put("a", dag_document("a")).position.revision
    watching = dagctl.start("watch", "--count", "1", "-o", "name")
    assert watching.stderr is not None
    assert watching.stderr.readline() == f"watching from revision {start}\n"
    dagctl.client.put("b", dag_document("b"))
    assert watching.communicate(timeout=20) == ("b\n", "")
    assert watching.returncode == 0


def test_each_kind_of_failure_has_its_exit_code_and_one_sentence(dagctl: Dagctl) -> None:
    document = json.dumps(dag_document("etl"))
    dagctl.client.put("etl", dag_document("etl"))
    failures = {
        1: dagctl("put", "-", "--dag-id", "other", stdin=document),
        2: dagctl("get", "etl", "--version", "1", "--at", "1"),
        3: dagctl("get", "missing"),
        4: dagctl("put", "-", "--expect-version", "7", stdin=document),
        5: dagctl("--address", "127.0.0.1:1", "status"),
    }
    for code, done in failures.items():
        assert (done.returncode, done.stdout) == (code, ""), done
        assert "Traceback" not in done.stderr
        assert code == 2 or len(done.stderr.splitlines()) == 1, done.stderr
    assert "no catalog answers at 127.0.0.1:1: Connection refused" in failures[5].stderr
    assert "dagcatalog serve" in failures[5].stderr


def test_a_document_that_is_no_dag_is_wrong_usage(dagctl: Dagctl) -> None:
    for text in ("not json", "[]", '{"dag": {}}'):
        done = dagctl("put", "-", stdin=text)
        assert done.returncode == 2
        assert "--dag-id" in done.stderr
    assert (
        dagctl("put", "-", "--label", "novalue", stdin=json.dumps(dag_document("a"))).returncode
        == 2
    )


@pytest.mark.parametrize("arguments", [("list",), ("-o", "json", "list"), ("get", "etl")])
def test_a_reader_that_leaves_is_no_error(dagctl: Dagctl, arguments: tuple[str, ...]) -> None:
    dagctl.client.put("etl", dag_document("etl", padding="x" * 1_000_000))
    done = dagctl.start(*arguments)
    assert done.stdout is not None
    done.stdout.close()
    assert done.wait(20) == 141
    assert done.stderr is not None
    assert done.stderr.read() == ""
    done.stderr.close()


def test_the_help_names_every_command_and_exit_code(dagctl: Dagctl) -> None:
    told = dagctl("--help").stdout
    for word in (
        "put",
        "get",
        "list",
        "history",
        "diff",
        "watch",
        "delete",
        "restore",
        "errors",
        "130",
        "141",
    ):
        assert word in told


def _write(folder: Path, dag_id: str, *, description: str) -> Path:
    path = folder / f"{dag_id}.json"
    path.write_text(json.dumps(dag_document(dag_id, description=description)))
    return path
