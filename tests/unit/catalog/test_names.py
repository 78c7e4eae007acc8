"""The small fields of requests: what is let in."""

import pytest

from dagcatalog_server.catalog.errors import InvalidArgument, TooLarge
from dagcatalog_server.catalog.model import DagKey, Provenance
from dagcatalog_server.catalog.names import (
    check_hash,
    check_key,
    check_labels,
    check_namespace,
    check_namespace_filter,
    check_provenance,
    check_text,
    is_dag_id,
)


@pytest.mark.parametrize("namespace", ["a", "7", "team-a", "a--b", "x" * 63])
def test_a_good_namespace_stays(namespace: str) -> None:
    assert check_namespace(namespace) == namespace


@pytest.mark.parametrize("namespace", ["-", "-a", "a-", "A", "a_b", "a.b", "x" * 64, "a\n", "é"])
def test_a_bad_namespace_is_refused(namespace: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_namespace(namespace)
    assert caught.value.violation.field == "namespace"


def test_no_namespace_is_the_default_one() -> None:
    assert check_namespace("") == "default"
    assert check_key("", "a") == DagKey("default", "a")


def test_a_dash_means_every_namespace_in_filters_only() -> None:
    assert check_namespace_filter("-") is None
    assert check_namespace_filter("") == "default"
    assert check_namespace_filter("team-a") == "team-a"


@pytest.mark.parametrize("dag_id", ["a", "a.b-c_d", "DAG.1", "日本", "été", "x" * 250, "-", "."])
def test_a_good_dag_id_stays(dag_id: str) -> None:
    assert check_key("n", dag_id) == DagKey("n", dag_id)
    assert is_dag_id(dag_id)


@pytest.mark.parametrize("dag_id", ["", "a b", "a/b", "a\n", "a\0", "x" * 251, "🌙", "a:b"])
def test_a_bad_dag_id_is_refused(dag_id: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_key("n", dag_id)
    assert caught.value.violation.field == "dag_id"
    assert not is_dag_id(dag_id)


def test_a_refusal_does_not_repeat_a_huge_value() -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_key("n", "x" * 1_000_000)
    assert len(str(caught.value)) < 300


def test_a_hash_is_lower_case_hexadecimal() -> None:
    good = "0123456789abcdef" * 4
    assert check_hash("content_hash", good) == good
    for bad in ("", good[:-1], good + "0", good.upper(), "g" * 64, good[:-1] + "\n"):
        with pytest.raises(InvalidArgument) as caught:
            check_hash("content_hash", bad)
        assert caught.value.violation.field == "content_hash"


def test_a_text_is_bounded_and_holds_no_nul() -> None:
    assert check_text("reason", "é" * 10, 10) == "é" * 10
    with pytest.raises(TooLarge) as large:
        check_text("reason", "é" * 11, 10)
    assert (large.value.size, large.value.limit, large.value.unit) == (11, 10, "characters")
    with pytest.raises(InvalidArgument) as caught:
        check_text("reason", "ab\0", 10)
    assert str(caught.value) == "reason: has a NUL character at 2"


@pytest.mark.parametrize("key", ["a", "team", "a/b.c-d_e", "A1", "x" * 63])
def test_good_labels_stay(key: str) -> None:
    assert check_labels({key: "v" * 255}) == {key: "v" * 255}


@pytest.mark.parametrize("key", ["", "-a", "a-", "/a", "a b", "é", "x" * 64, "a\n"])
def test_a_bad_label_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_labels({key: ""})
    assert caught.value.violation.field == "labels"


def test_labels_are_bounded_in_size_and_number() -> None:
    check_labels({f"k{number}": "" for number in range(64)})
    with pytest.raises(TooLarge):
        check_labels({f"k{number}": "" for number in range(65)})
    with pytest.raises(TooLarge) as caught:
        check_labels({"team": "v" * 256})
    assert caught.value.violation.field == "labels.team"
    with pytest.raises(InvalidArgument) as nul:
        check_labels({"team": "\0"})
    assert nul.value.violation.field == "labels.team"


@pytest.mark.parametrize(
    ("provenance", "field"),
    [
        (Provenance("b" * 251), "provenance.bundle_name"),
        (Provenance("", "v" * 251), "provenance.bundle_version"),
        (Provenance("", "", "f" * 2001), "provenance.file"),
        (Provenance("", "", "a\0b"), "provenance.file"),
    ],
)
def test_a_bad_provenance_is_refused(provenance: Provenance, field: str) -> None:
    with pytest.raises((InvalidArgument, TooLarge)) as caught:
        check_provenance(provenance)
    assert caught.value.details()["field"] == field
