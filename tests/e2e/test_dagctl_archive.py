"""`dagctl export` and `import`: a catalog moves as a tar, byte by byte, however often it is cut."""

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagcatalog_client import Client, DagView, Provenance
from dagcatalog_client.archive import exporting, importing
from dagcatalog_client.archive.importing import Wishes
from dagcatalog_client.model import DagFilter, DeletedFilter
from tests.support.dagctl import DAGCTL, Dagctl
from tests.support.dags import dag_document
from tests.support.server import running_server

EVERYTHING = DagFilter(deleted=DeletedFilter.INCLUDE)
ODD = "\u00e9t\u00e9.." + "x" * 200


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Dagctl]:
    """Another catalog, in memory: its database has nothing of the first one's."""
    with running_server(tmp_path / "t.db", extra_args=["--database-url=memory://"]) as server:
        dagctl = Dagctl(server.address, "default")
        with dagctl.client:
            yield dagctl


def _fill(client: Client) -> None:
    """Make histories of every kind."""
    for number in range(3):
        client.put(
            "etl",
            dag_document("etl", tags=[f"v{number}"]),
            source=f"# etl {number}",
            provenance=Provenance("main", f"commit-{number}", "dags/etl.py"),
            labels={"team": "data"},
        )
    client.put("etl", dag_document("etl", tags=["v2"]), source="# moved a comment")
    client.put(ODD, dag_document(ODD))
    client.put("..", dag_document(".."))
    client.put("gone", dag_document("gone", tags=["old"]))
    client.put("gone", dag_document("gone", tags=["new"]))
    client.delete("gone", reason="replaced")


def _state(client: Client, *, versions: bool = False) -> list[object]:
    """All that must be the same on both sides."""
    found: list[object] = []
    for dag in client.list(EVERYTHING):
        source = client.get(dag.dag_id, view=DagView.SOURCE, include_deleted=True).source
        document = client.get(dag.dag_id, include_deleted=True).document
        place, labels = dag.provenance, dict(dag.labels)
        found.append((dag.dag_id, document, source, place, labels, dag.deleted, dag.delete_reason))
        if versions:
            found += [
                (v.version, v.summary.content_hash, v.summary.source_hash, v.summary.provenance)
                for v in client.list_versions(dag.dag_id)
            ]
    return found


@pytest.mark.parametrize("versions", ["heads", "all"])
def test_a_catalog_moves_as_it_is(
    dagctl: Dagctl, target: Dagctl, tmp_path: Path, versions: str
) -> None:
    _fill(dagctl.client)
    file = str(tmp_path / "catalog.tar")
    wanted = ("export", file, "--versions", versions, "--with-deleted")
    exported = dagctl(*wanted)
    assert exported.returncode == 0, exported.stderr
    assert exported.stdout.startswith(f"{file}: {4 if versions == 'heads' else 7} ")
    imported = target("import", file, "--into", "default")
    assert imported.returncode == 0, imported
    whole = versions == "all"
    assert _state(target.client, versions=whole) == _state(dagctl.client, versions=whole)
    revision = target.client.status().position.revision
    again = target("import", file, "--into", "default")
    assert (again.returncode, target.client.status().position.revision) == (0, revision)
    assert "there" in again.stdout
    assert dagctl(*wanted, "--overwrite").returncode == 0


def test_a_catalog_moves_from_sqlite_to_postgresql(
    dagctl: Dagctl, postgres_url: str, tmp_path: Path
) -> None:
    _fill(dagctl.client)
    file = str(tmp_path / "catalog.tar")
    dagctl("export", file, "--versions", "all", "--with-deleted")
    place = [f"--database-url={postgres_url}"]
    with running_server(tmp_path / "p.db", extra_args=place) as server:
        target = Dagctl(server.address, "default")
        with target.client:
            assert target("import", file, "--into", "default").returncode == 0
            assert target.client.status().store == "postgresql"
            assert _state(target.client, versions=True) == _state(dagctl.client, versions=True)


def test_plain_tar_unpacks_an_archive(dagctl: Dagctl, tmp_path: Path) -> None:
    _fill(dagctl.client)
    dagctl("export", str(tmp_path / "catalog.tar"))
    subprocess.run(["tar", "xf", "catalog.tar"], cwd=tmp_path, check=True)
    folder = tmp_path / dagctl.client.namespace / "etl@3"
    assert (folder / "document.json").read_bytes() == dagctl.client.get("etl").document
    assert (folder / "source.py").read_text() == "# moved a comment"
    assert json.loads((folder / "dag.json").read_text())["labels"] == {"team": "data"}
    assert (tmp_path / dagctl.client.namespace / "..@1").is_dir()


def test_an_archive_is_of_one_revision_and_the_same_each_time(
    dagctl: Dagctl, tmp_path: Path
) -> None:
    _fill(dagctl.client)
    client, first, second = dagctl.client, io.BytesIO(), io.BytesIO()
    manifest, _ = exporting.manifest_of(client, DagFilter(), all_versions=True)
    seen: list[str] = []

    def disturb(entry: object) -> None:
        if not seen:
            client.put("etl", dag_document("etl", tags=["later"]))
            client.put("aaa", dag_document("aaa"))
            client.delete("..")
        seen.append(str(entry))

    exporting.run(client, first, DagFilter(), manifest, done=disturb)
    exporting.run(client, second, DagFilter(), manifest, done=lambda _: None)
    assert first.getvalue() == second.getvalue()
    first.seek(0)
    with tarfile.open(fileobj=first) as opened:
        names = opened.getnames()
    assert not any("aaa@" in name or "etl@4" in name for name in names)
    assert any("/..@1/" in name for name in names)


def test_a_filter_and_a_pipe(dagctl: Dagctl, target: Dagctl) -> None:
    for name, tags in (("a", ["red"]), ("b", [])):
        dagctl.client.put(name, dag_document(name, tags=tags))
    piped = subprocess.run(
        ["sh", "-c", '"$0" export - --tag red | DAGCATALOG_ADDRESS="$1" "$0" import - --into x',
         DAGCTL, target.client.address],
        env=dagctl.environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert piped.returncode == 0, piped.stderr
    assert piped.stdout == "standard input: 1 entries: created 1\n"
    assert [dag.dag_id for dag in target.client.list(namespace="x")] == ["a"]


def test_an_interrupted_export_goes_on_and_is_the_same(dagctl: Dagctl, tmp_path: Path) -> None:
    _fill(dagctl.client)
    whole, file = tmp_path / "whole.tar", tmp_path / "catalog.tar"
    partial = tmp_path / "catalog.tar.partial"
    dagctl("export", str(whole), "--versions", "all")
    raw = whole.read_bytes()
    for cut in (0, 700, len(raw) // 2, len(raw) - 1024):
        partial.write_bytes(raw[:cut])
        done = dagctl("export", str(file), "--versions", "all", "--overwrite")
        assert done.returncode == 0, done.stderr
        assert file.read_bytes() == raw
        assert ("going on after" in done.stderr) == (cut > 1000)
        assert not partial.exists()
    partial.write_bytes(raw[: len(raw) // 2])
    done = dagctl("export", str(file), "--overwrite")
    assert "is of another export" in done.stderr
    refused = dagctl("export", str(file))
    assert (refused.returncode, "--overwrite" in refused.stderr) == (1, True)


def test_an_export_whose_past_was_pruned_begins_anew(dagctl: Dagctl, tmp_path: Path) -> None:
    _fill(dagctl.client)
    file, partial = tmp_path / "catalog.tar", tmp_path / "catalog.tar.partial"
    dagctl("export", str(file))
    partial.write_bytes(file.read_bytes()[:5_000])
    dagctl.client.put("etl", dag_document("etl", tags=["newest"]))
    now = dagctl.client.put("etl", dag_document("etl", tags=["newer"])).position.revision
    dagctl.client.prune(keep_versions=1, compact_revision=now)
    done = dagctl("export", str(file), "--overwrite")
    assert done.returncode == 0
    assert "beginning anew" in done.stderr
    assert f"as of revision {now}" in done.stdout


def test_a_cut_archive_is_imported_as_far_as_it_goes_and_then_to_the_end(
    dagctl: Dagctl, target: Dagctl, tmp_path: Path
) -> None:
    _fill(dagctl.client)
    whole, cut = tmp_path / "whole.tar", tmp_path / "cut.tar"
    dagctl("export", str(whole), "--versions", "all", "--with-deleted")
    raw = whole.read_bytes()
    for size in range(1_100, len(raw), len(raw) // 5):
        cut.write_bytes(raw[:size])
        done = target("import", str(cut), "--into", "default")
        assert done.returncode == 1
        assert "it was cut" in done.stdout
    assert target("import", str(whole), "--into", "default").returncode == 0
    assert _state(target.client, versions=True) == _state(dagctl.client, versions=True)


def test_a_history_that_goes_another_way_is_refused_and_the_others_go_on(
    dagctl: Dagctl, target: Dagctl, tmp_path: Path
) -> None:
    _fill(dagctl.client)
    target.client.put("etl", dag_document("etl", tags=["mine"]))
    file = str(tmp_path / "catalog.tar")
    dagctl("export", file, "--versions", "all")
    done = target("import", file, "--into", "default")
    assert done.returncode == 1
    assert "etl: version 1 is another in the catalog's history" in done.stdout
    assert [v.summary.tags for v in target.client.list_versions("etl")] == [("mine",)]
    assert target.client.get("..").summary.version == 1
    assert target("import", file, "--into", "default", "--skip-existing").returncode == 0
    assert target.client.get("etl").summary.version == 1
    assert target("import", file, "--into", "default", "--heads").returncode == 0
    assert target.client.get("etl").summary.tags == ("v2",)


def test_a_catalog_that_went_on_is_left_as_it_is(
    dagctl: Dagctl, target: Dagctl, tmp_path: Path
) -> None:
    file = str(tmp_path / "catalog.tar")
    for client in (dagctl.client, target.client):
        client.put("etl", dag_document("etl", tags=["x"]))
    dagctl("export", file, "--versions", "all")
    target.client.put("etl", dag_document("etl", tags=["y"]))
    done = target("import", file, "--into", "default", "-o", "json")
    assert json.loads(done.stdout)["counts"] == {"there": 1}
    assert target.client.get("etl").summary.version == 2


def test_versions_that_were_pruned_are_counted_anew_and_said(
    dagctl: Dagctl, target: Dagctl, tmp_path: Path
) -> None:
    for tag in ("x", "y", "z"):
        dagctl.client.put("etl", dag_document("etl", tags=[tag]))
    dagctl.client.prune(keep_versions=2)
    file = str(tmp_path / "catalog.tar")
    dagctl("export", file, "--versions", "all")
    done = target("import", file, "--into", "default")
    assert done.returncode == 0
    assert "etl: version 3 is version 2 here" in done.stdout


def test_a_check_writes_nothing(dagctl: Dagctl, target: Dagctl, tmp_path: Path) -> None:
    _fill(dagctl.client)
    file = str(tmp_path / "catalog.tar")
    dagctl("export", file)
    done = target("import", file, "--check")
    assert done.stdout == f"{file}: 3 entries: every hash is right\n"
    assert target.client.status().position.revision == 0


def test_a_dag_that_the_target_refuses_keeps_no_other_out(tmp_path: Path) -> None:
    memory, limit = ["--database-url=memory://"], {"DAGCATALOG_MAX_DOCUMENT_BYTES": "2000"}
    with (
        running_server(tmp_path / "a.db", extra_args=memory) as large,
        running_server(tmp_path / "b.db", extra_args=memory, environment=limit) as small,
        Client(large.address) as source,
        Client(small.address) as target,
    ):
        source.put("big", dag_document("big", padding="x" * 3_000))
        source.put("small", dag_document("small"))
        file = io.BytesIO()
        manifest, _ = exporting.manifest_of(source, DagFilter(), all_versions=False)
        exporting.run(source, file, DagFilter(), manifest, done=lambda _: None)
        file.seek(0)
        report = importing.run(target, file, Wishes(), lambda _: None)
        assert report.counts == {"refused": 1, "created": 1}
        assert "over the limit" in report.problems[0]
