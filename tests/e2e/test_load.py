"""What a load writes, against a real server; no Airflow is needed for it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dagcatalog_client import Client
from dagcatalog_client.cli.app import dagctl
from dagcatalog_client.load.writer import Writer
from dagcatalog_client.model import DagFilter, PutOutcome
from dagcatalog_client.parse.model import FailureKind, FileOutcome, ParsedDag
from tests.support.dags import dag_document
from tests.support.server import RunningServer


@pytest.fixture
def client(server: RunningServer) -> Iterator[Client]:
    with Client(server.address) as client:
        yield client


def parsed(dag_id: str, **fields: Any) -> ParsedDag:
    document = json.dumps(dag_document(dag_id, **fields)).encode()
    return ParsedDag(dag_id, document, source=f"# the file of {dag_id}")


def names(client: Client, bundle: str) -> list[str]:
    return [summary.dag_id for summary in client.list(DagFilter(bundle_name=bundle))]


def test_a_refused_dag_does_not_keep_its_neighbours_out(client: Client) -> None:
    writer = Writer(client, "refused", {})
    bad = ParsedDag("r_bad", b'{"__version": 3, "dag": {"dag_id": "r_bad", "n": NaN}}')
    report = writer.write("f.py", FileOutcome((parsed("r_a"), bad, parsed("r_b"))))
    assert [dag.dag_id for dag in report.dags] == ["r_a", "r_b"]
    assert report.refused == ("r_bad",)
    assert report.failure is not None
    assert report.failure.kind is FailureKind.REFUSED
    assert "r_bad" in report.failure.message
    assert names(client, "refused") == ["r_a", "r_b"]
    assert client.get("r_a").summary.provenance.file == "f.py"


def test_a_file_of_more_dags_than_a_batch_holds_is_written_and_replaced(client: Client) -> None:
    many = tuple(parsed(f"many_{n:04}") for n in range(1_100))
    report = Writer(client, "many", {}).write("f.py", FileOutcome(many))
    assert [dag.outcome for dag in report.dags] == [PutOutcome.CREATED] * 1_100
    known = {"f.py": names(client, "many")}
    report = Writer(client, "many", known).write("f.py", FileOutcome(many[:1_050]))
    assert {dag.outcome for dag in report.dags} == {PutOutcome.UNCHANGED}
    assert len(report.deleted) == 50
    assert len(names(client, "many")) == 1_050


def test_a_file_is_replaced_as_a_whole(client: Client) -> None:
    writer = Writer(client, "whole", {})
    writer.write("f.py", FileOutcome((parsed("w_a"), parsed("w_b"))))
    again = Writer(client, "whole", {"f.py": ["w_a", "w_b"]})
    report = again.write("f.py", FileOutcome((parsed("w_a"),)))
    assert report.deleted == ("w_b",)
    assert client.get("w_a").summary.source_hash
    assert Writer(client, "whole", {"f.py": ["w_a"]}).write("f.py", FileOutcome()).deleted == (
        "w_a",
    )


def load(server: RunningServer, *arguments: object) -> tuple[int, dict[str, object]]:
    given = ["--address", server.address, "-o", "json", "load", *map(str, arguments)]
    done = CliRunner().invoke(dagctl, given, standalone_mode=False)
    assert done.exception is None, done.exception
    return done.return_value, json.loads(done.stdout)


def test_a_folder_of_documents_needs_no_airflow(
    server: RunningServer, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "team").mkdir()
    for name in ("d_a", "team/d_b"):
        document = dag_document(name.rpartition("/")[2])
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    (tmp_path / "settings.json").write_text('{"not": "a DAG"}')
    code, report = load(server, "--bundle", "documents", tmp_path)
    assert code == 0
    assert report["dag_count"] == 2
    code, again = load(server, "--bundle", "documents", tmp_path)
    assert again["revision"] == report["revision"]
    _, part = load(server, "--bundle", "documents", "--root", tmp_path, tmp_path / "team")
    assert part["revision"] == report["revision"]
    assert part["vanished"] == {}

    (tmp_path / "team" / "d_b.json").unlink()
    (tmp_path / "d_a.json").write_text('{"__version": 3,\n "dag": {,}}')
    code, broken = load(server, "--bundle", "documents", "--prune", tmp_path)
    assert code == 1
    assert broken["vanished"] == {"team/d_b.json": ["d_b"]}
    assert names(client, "documents") == ["d_a"]
    (error,) = client.list_parse_errors(bundle_name="documents")
    assert (error.file, error.line, error.kind.name) == ("d_a.json", 2, "SYNTAX")
    (tmp_path / "d_a.json").unlink()
    load(server, "--bundle", "documents", "--prune", tmp_path)
    assert list(client.list_parse_errors(bundle_name="documents")) == []
