"""What a Put must be before it may be planned."""

from dataclasses import replace

import pytest

from dagcatalog_server.catalog.canonical import DocumentLimits
from dagcatalog_server.catalog.errors import CatalogError, InvalidArgument, TooLarge
from dagcatalog_server.catalog.model import BlobKind, DagKey, Provenance
from dagcatalog_server.catalog.writes import (
    DeleteOperation,
    FileRef,
    Precondition,
    PutItem,
    PutOperation,
    WriteLimits,
    check_write,
    prepare_batch,
    prepare_put,
)
from tests.support.documents import as_bytes, format_3, sha256
from tests.support.writes import put, write

LIMITS = WriteLimits()
GOOD = PutItem("nightly", as_bytes(format_3()))


def prepare(item: PutItem, *, file: FileRef | None = None) -> PutOperation:
    return prepare_put("default", item, LIMITS, default_file=file)


def field_of(error: pytest.ExceptionInfo[CatalogError]) -> str:
    return error.value.details()["field"]


def test_a_put_is_hashed_and_projected() -> None:
    made = prepare(replace(GOOD, source="print('é')", labels={"team": "a"}))
    assert made.key == DagKey("default", "nightly")
    assert made.document.raw == GOOD.document
    assert made.document.hash == made.hashes.content == sha256(GOOD.document)
    assert made.source is not None
    assert made.source.kind is BlobKind.SOURCE
    assert made.source.hash == sha256("print('é')".encode())
    assert made.projection.tags == ("finance", "pii")
    assert made.labels == {"team": "a"}


def test_the_file_is_taken_from_the_document_if_nobody_says() -> None:
    assert prepare(GOOD).provenance == Provenance(file="nightly.py")
    said = Provenance("bundle", "v1", "mine.py")
    assert prepare(replace(GOOD, provenance=said)).provenance == said
    bundle = Provenance("bundle", "v1")
    taken = prepare(replace(GOOD, provenance=bundle)).provenance
    assert taken == Provenance("bundle", "v1", "nightly.py")


def test_a_file_too_long_for_an_index_is_refused_even_if_the_document_says_it() -> None:
    tree = format_3()
    for path, good in (("f" * 2_000, True), ("f" * 2_001, False), ("é" * 1_001, False)):
        tree["dag"]["relative_fileloc"] = path
        item = replace(GOOD, document=as_bytes(tree))
        if good:
            assert prepare(item).provenance.file == path
            continue
        with pytest.raises(TooLarge) as caught:
            prepare(item)
        assert field_of(caught) == "provenance.file"


def test_an_empty_source_is_a_source_and_none_is_none() -> None:
    assert prepare(GOOD).source is None
    empty = prepare(replace(GOOD, source="")).source
    assert empty is not None
    assert empty.raw == b""


def test_empty_labels_are_none_given() -> None:
    assert prepare(replace(GOOD, labels={})).labels is None


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (replace(GOOD, dag_id=""), "dag_id"),
        (replace(GOOD, dag_id="other"), "document.dag.dag_id"),
        (replace(GOOD, document=b"{}"), "document.dag"),
        (replace(GOOD, document=b'{"dag":[]}'), "document.dag"),
        (replace(GOOD, document=b'{"dag":{}}'), "document.dag.dag_id"),
        (replace(GOOD, document=b'{"dag":{"x":NaN}}'), "document.dag.x"),
        (replace(GOOD, labels={"-": ""}), "labels"),
        (replace(GOOD, provenance=Provenance("", "", "a\0")), "provenance.file"),
        (replace(GOOD, precondition=Precondition(version=-1)), "precondition.version"),
        (replace(GOOD, precondition=Precondition(content_hash="x")), "precondition.content_hash"),
    ],
)
def test_a_bad_put_is_refused_with_its_field(item: PutItem, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        prepare(item)
    assert field_of(caught) == field


def test_a_put_over_a_limit_is_too_large() -> None:
    small = WriteLimits(DocumentLimits(max_bytes=100), max_source_bytes=3)
    with pytest.raises(TooLarge) as caught:
        prepare_put("default", GOOD, small)
    assert field_of(caught) == "document"
    with pytest.raises(TooLarge) as caught:
        prepare_put("default", replace(GOOD, source="éé"), WriteLimits(max_source_bytes=3))
    assert (field_of(caught), caught.value.size) == ("source.text", 4)


def test_a_batch_says_which_item_is_wrong() -> None:
    bad = replace(GOOD, document=b'{"dag":{"dag_id":"nightly","x":[1E999]}}')
    other = PutItem("other", as_bytes(format_3("other")))
    with pytest.raises(InvalidArgument) as caught:
        prepare_batch("default", [other, bad], LIMITS, file=None)
    assert field_of(caught) == "items[1].document.dag.x[0]"
    with pytest.raises(TooLarge) as large:
        prepare_batch("default", [GOOD], WriteLimits(DocumentLimits(max_nodes=3)), file=None)
    assert field_of(large) == "items[0].document"


def test_a_batch_has_each_dag_once_and_at_most_a_thousand() -> None:
    with pytest.raises(InvalidArgument) as caught:
        prepare_batch("default", [GOOD, GOOD], LIMITS, file=None)
    assert field_of(caught) == "items[1].dag_id"
    with pytest.raises(TooLarge) as large:
        prepare_batch("default", [GOOD] * 1_001, LIMITS, file=None)
    assert field_of(large) == "items"


def test_items_of_a_replaced_file_are_of_that_file() -> None:
    file = FileRef("bundle", "mine.py")
    [made] = prepare_batch("default", [GOOD], LIMITS, file=file)
    assert made.provenance == Provenance("bundle", "", "mine.py")
    versioned = replace(GOOD, provenance=Provenance("bundle", "v7", "mine.py"))
    [made] = prepare_batch("default", [versioned], LIMITS, file=file)
    assert made.provenance == Provenance("bundle", "v7", "mine.py")
    for given in (Provenance("bundle", "", "other.py"), Provenance("else", "", "mine.py")):
        with pytest.raises(InvalidArgument) as caught:
            prepare_batch("default", [replace(GOOD, provenance=given)], LIMITS, file=file)
        assert field_of(caught) == "items[0].provenance.file"


def test_small_fields_of_a_write_are_checked() -> None:
    good = put("a", request_id="r" * 128)
    assert check_write(good) is good
    key = DagKey("default", "a")
    hurt = [
        (replace(good, request_id="r" * 129), "request_id"),
        (replace(good, request_id="\0"), "request_id"),
        (replace(good, namespace="NO"), "namespace"),
        (write(DeleteOperation(key, "x" * 1_001)), "reason"),
        (write(DeleteOperation(key, "", Precondition(version=-1))), "precondition.version"),
    ]
    for bad, field in hurt:
        with pytest.raises((InvalidArgument, TooLarge)) as caught:
            check_write(bad)
        assert field_of(caught) == field
