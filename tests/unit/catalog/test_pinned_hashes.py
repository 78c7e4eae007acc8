"""Hashes and index columns are stored: what they are of a document must never change."""

import hashlib
from dataclasses import astuple

from dagcatalog_server.catalog.canonical import DocumentLimits, canonicalize
from dagcatalog_server.catalog.definition import hash_document
from dagcatalog_server.catalog.projection import project
from tests.support.documents import as_bytes, format_1, format_3
from tests.support.generated import generated_documents

LIMITS = DocumentLimits()
COUNT = 2_000


def digest(values: object) -> str:
    return hashlib.sha256(repr(values).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def test_the_hashes_of_known_documents_are_what_they_have_always_been() -> None:
    found = [hash_document(canonicalize(as_bytes(one), LIMITS)) for one in (format_1(), format_3())]
    assert [(one.definition[:16], one.structure[:16]) for one in found] == [
        ("bbe68029f798f264", "99dca59a6d879640"),
        ("2c8b01d34439d95b", "b7bc81de97c4e615"),
    ]


def test_the_hashes_of_generated_documents_are_what_they_have_always_been() -> None:
    found = [
        astuple(hash_document(canonicalize(as_bytes(tree), LIMITS)))
        for tree in generated_documents(COUNT)
    ]
    assert len(set(found)) > COUNT * 0.8
    assert [digest(part) for part in zip(*found, strict=True)] == [
        "41a09fbee366ebab",
        "5cd71b32e162b0a6",
        "19f9d820546e599e",
        "35423e5e97bd9894",
        "bbba072cf22793d4",
        "c3df42c188fdebe7",
    ]


def test_the_index_columns_of_generated_documents_are_what_they_have_always_been() -> None:
    found = [
        project(canonicalize(as_bytes(tree), LIMITS).tree) for tree in generated_documents(COUNT)
    ]
    assert digest(found) == "1a9e92ea5b245259"
