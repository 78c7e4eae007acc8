"""An archive from a stranger: nothing in it is believed, unpacked or read without a bound."""

import io
import json
import tarfile
from collections.abc import Callable

import pytest

from dagcatalog_client.archive import model
from dagcatalog_client.archive.model import ArchiveError, Entry, Manifest
from dagcatalog_client.archive.reading import Archive
from dagcatalog_client.archive.tape import TapeWriter, members

DOCUMENT = b'{"dag":{"dag_id":"etl"}}'
MANIFEST = Manifest("e", 7, "default", "heads")


def entry(**fields: object) -> Entry:
    known: dict[str, object] = {
        "namespace": "default", "dag_id": "etl", "version": 1, "head": True,
        "content_hash": model.sha256(DOCUMENT), "definition_hash": "", "source_hash": "",
        "bundle_name": "", "bundle_version": "", "file": "etl.py", "labels": {}, "actor": "ann",
        "create_time": "2026-01-01T00:00:00+00:00", "deleted": False, "delete_reason": "",
    }  # fmt: skip
    return Entry(**{**known, **fields})  # type: ignore[arg-type]  # the cases below are typed


def archive(*parts: tuple[str, bytes], manifest: bytes | None = None) -> io.BytesIO:
    file = io.BytesIO()
    tape = TapeWriter(file)
    tape.add(model.MANIFEST, model.manifest_bytes(MANIFEST) if manifest is None else manifest)
    for name, raw in parts:
        tape.add(name, raw)
    tape.end()
    file.seek(0)
    return file


def read(file: io.BytesIO) -> list[str]:
    return [one.dag_id for one, _, _ in Archive(file)]


def whole(one: Entry, document: bytes = DOCUMENT) -> list[tuple[str, bytes]]:
    return [
        (f"{one.folder}/dag.json", model.entry_bytes(one)),
        (f"{one.folder}/document.json", document),
    ]


def test_what_is_whole_is_read() -> None:
    file = archive(*whole(entry()), ("end.json", model.end_bytes(1)))
    found = Archive(file)
    assert [one for one, _, _ in found] == [entry()]
    assert (found.complete, found.manifest) == (True, MANIFEST)


@pytest.mark.parametrize(
    "dag_id", ["..", ".", "x" * 250, "\u00fc" * 250, "\U00020000" * 250, "a.b-c"]
)
def test_every_dag_id_has_a_safe_path_of_its_own(dag_id: str) -> None:
    one = entry(dag_id=dag_id, version=10**18)
    assert read(archive(*whole(one))) == [dag_id]
    folder = one.folder.removeprefix("default/")
    assert "/" not in folder
    assert folder not in (".", "..")
    assert len(folder.encode()) <= 100
    assert entry(dag_id=f"{dag_id}x").folder != entry(dag_id=dag_id).folder


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd", "../default/etl@1/dag.json", "default/../etl@1/dag.json", "etl@1/dag.json",
        "default/etl@1/other.json", "default/etl/dag.json", "default/a/etl@1/dag.json",
        "Default/etl@1/dag.json", "default/etl@1/../dag.json",
    ],
)  # fmt: skip
def test_a_path_that_is_none_of_ours_is_refused(name: str) -> None:
    with pytest.raises(ArchiveError, match="does not belong"):
        read(archive((name, b"{}")))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE, tarfile.XHDTYPE,
             tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_SPARSE, tarfile.FIFOTYPE, b"\x7f"]
)  # fmt: skip
def test_what_is_no_file_is_refused(kind: bytes) -> None:
    info = tarfile.TarInfo("default/etl@1/dag.json")
    info.type, info.linkname = kind, "/etc/passwd"
    file = archive()
    file.seek(len(file.getvalue()) - 1024)
    file.write(info.tobuf(tarfile.USTAR_FORMAT) + b"\0" * 1024)
    file.seek(0)
    with pytest.raises(ArchiveError, match="link or a device"):
        read(file)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("default/etl@1/dag.json", 2**20),
        ("default/etl@1/document.json", 2**27),
        ("end.json", 2**32),
    ],
)
def test_a_size_is_refused_before_it_is_read(name: str, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    file = io.BytesIO(info.tobuf(tarfile.USTAR_FORMAT))
    with pytest.raises(ArchiveError, match="over the limit"):
        next(members(file))


def _with_fields(**fields: object) -> bytes:
    return json.dumps({**json.loads(model.entry_bytes(entry())), **fields}).encode()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (b"[]", "is no object"),
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"{}", "namespace is missing"),
        (_with_fields(version="1"), "version is missing, or is not"),
        (_with_fields(version=True), "version is missing, or is not"),
        (_with_fields(labels=[]), "labels is missing, or is not"),
        (_with_fields(labels={"a": 1}), "labels must be texts"),
        (_with_fields(dag_id="other"), "says that it is default/other@1"),
        (_with_fields(content_hash="00"), "content_hash is no hash"),
        (_with_fields(namespace="../x"), "says that it is"),
    ],
)
def test_an_entry_is_not_believed(told: bytes, said: str) -> None:
    with pytest.raises(ArchiveError, match=said):
        read(archive(("default/etl@1/dag.json", told)))


Parts = list[tuple[str, bytes]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda parts: [parts[0], (parts[1][0], b"{}")], "was changed"),
        (lambda parts: [parts[1]], "comes without its dag.json"),
        (lambda parts: [parts[0], parts[0]], "is where default/etl@1/document.json should be"),
        (lambda parts: [*parts, ("end.json", model.end_bytes(2))], "has 1"),
        (lambda parts: [*parts, ("end.json", b"{}")], "does not say how many"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    change: Callable[[Parts], Parts], said: str
) -> None:
    with pytest.raises(ArchiveError, match=said):
        read(archive(*change(whole(entry()))))


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "no archive|cut"), (b"PK\x03\x04" + b"x" * 600, "no archive"), (b"\0" * 1024, "no archive"),
        (archive(manifest=b'{"format": 99}').getvalue(), "of a format"),
        (archive(manifest=b"{}").getvalue(), "of a format"),
        (archive(manifest=b'{"format": 1}').getvalue(), "epoch is missing"),
        (archive(*whole(entry())).getvalue()[2048:], "does not begin with its manifest|no archive"),
    ],
)  # fmt: skip
def test_what_is_no_archive_is_said(raw: bytes, said: str) -> None:
    with pytest.raises(ArchiveError, match=said):
        read(io.BytesIO(raw))


def test_a_cut_gives_what_is_whole_and_says_so_wherever_it_falls() -> None:
    one, two = entry(), entry(dag_id="second")
    raw = archive(*whole(one), *whole(two), ("end.json", model.end_bytes(2))).getvalue()
    for size in range(2_048, len(raw) - 1_024, 512):
        found = Archive(io.BytesIO(raw[:size]))
        assert [each for each, _, _ in found] in ([], [one], [one, two])
        assert not found.complete or size >= len(raw) - 2_048
