"""Remembered requests, parse errors and counts."""

from dataclasses import replace
from datetime import timedelta

import pytest

from dagcatalog_server.catalog.model import NamespaceCounts, ParseError, ParseErrorKind
from dagcatalog_server.catalog.ports import Snapshot, Store, StoreConflict
from tests.support.stored import MOMENT, commit, key, parse_error, record, state


def test_an_outcome_is_remembered_by_namespace_and_id(store: Store) -> None:
    kept = [record("one"), record("two"), record("one", namespace="other")]
    with store.write() as transaction:
        transaction.remember(kept)
        assert transaction.requests("default", ["one"]).get("one") == kept[0]
    with store.read() as snapshot:
        assert snapshot.requests("other", ["one"]).get("one") == kept[2]
        assert snapshot.requests("default", ["two"]).get("two") == kept[1]
        assert snapshot.requests("other", ["two"]).get("two") is None


def test_an_id_is_remembered_once(store: Store) -> None:
    with store.write() as transaction:
        transaction.remember([record("one")])
    with pytest.raises(StoreConflict), store.write() as transaction:
        transaction.remember([record("two"), replace(record("one"), outcome="{}")])
    with store.read() as snapshot:
        assert snapshot.requests("default", ["one"]).get("one") == record("one")
        assert snapshot.requests("default", ["two"]).get("two") is None


def test_old_outcomes_are_forgotten(store: Store) -> None:
    later = record("later", at=MOMENT + timedelta(microseconds=1))
    with store.write() as transaction:
        transaction.remember([record("old"), later])
        transaction.forget_requests(MOMENT + timedelta(microseconds=1))
    with store.read() as snapshot:
        assert snapshot.requests("default", ["old"]).get("old") is None
        assert snapshot.requests("default", ["later"]).get("later") == later


def test_a_parse_error_comes_back(store: Store) -> None:
    with store.write() as transaction:
        transaction.put_parse_errors([parse_error("a.py")])
    assert _files(store) == ["a.py"]
    with store.read() as snapshot:
        assert _all(snapshot) == [parse_error("a.py")]


def test_a_parse_error_keeps_its_first_time(store: Store) -> None:
    later = MOMENT + timedelta(days=1)
    again = replace(
        parse_error("a.py", message="worse", first_at=later, last_at=later),
        kind=ParseErrorKind.TIMEOUT,
        line=0,
        bundle_version="v2",
        stack_trace="",
        actor="other",
    )
    with store.write() as transaction:
        transaction.put_parse_errors([parse_error("a.py")])
    with store.write() as transaction:
        transaction.put_parse_errors([again, parse_error("b.py")])
    with store.read() as snapshot:
        assert _all(snapshot) == [replace(again, first_at=MOMENT), parse_error("b.py")]


def test_a_file_may_be_twice_in_one_report(store: Store) -> None:
    later = MOMENT + timedelta(days=1)
    reports = [parse_error("a.py"), parse_error("a.py", message="2nd", first_at=later)]
    with store.write() as transaction:
        transaction.put_parse_errors(reports)
    with store.read() as snapshot:
        assert _all(snapshot) == [replace(reports[1], first_at=MOMENT)]


def test_parse_errors_are_listed_by_place_and_in_pages(store: Store) -> None:
    places = [("a", "x", "2"), ("a", "x", "1"), ("b", "a", "9"), ("a", "y", "0"), ("a", "X", "3")]
    with store.write() as transaction:
        transaction.put_parse_errors(
            [parse_error(file, namespace=ns, bundle=bundle) for ns, bundle, file in places]
        )
    ordered = sorted(places)
    with store.read() as snapshot:

        def page(after: tuple[str, str, str] | None, limit: int) -> list[tuple[str, str, str]]:
            errors = snapshot.parse_errors(None, None, after=after, limit=limit)
            return [(e.namespace, e.bundle_name, e.file) for e in errors]

        assert page(None, 9) == ordered
        assert page(None, 2) + page(ordered[1], 2) + page(ordered[3], 2) == ordered
        in_x = snapshot.parse_errors("a", "x", after=("a", "x", "1"), limit=9)
        assert [error.file for error in in_x] == ["2"]
        assert snapshot.parse_error_count(None, None) == 5
        assert snapshot.parse_error_count("a", None) == 4
        assert snapshot.parse_error_count("a", "x") == 2
        assert snapshot.parse_error_count("c", None) == 0


def test_parse_errors_of_named_files_are_cleared(store: Store) -> None:
    _put_files(store, "a", "b", "c")
    with store.write() as transaction:
        transaction.clear_parse_errors("default", "bundle", files=["a", "c", "absent"], keep=["c"])
        transaction.clear_parse_errors("default", "bundle", files=[])
        transaction.clear_parse_errors("default", "other")
        transaction.clear_parse_errors("other", "bundle")
    assert _files(store) == ["b", "c"]


def test_parse_errors_of_a_bundle_are_cleared_but_those_to_keep(store: Store) -> None:
    _put_files(store, *(f"{number:04}" for number in range(1100)))
    with store.write() as transaction:
        transaction.clear_parse_errors("default", "bundle", keep=["0007", "absent"])
    assert _files(store) == ["0007"]
    with store.write() as transaction:
        transaction.clear_parse_errors("default", "bundle")
    assert _files(store) == []


def test_counts_are_by_namespace(store: Store) -> None:
    with store.read() as snapshot:
        assert snapshot.counts().namespaces == ()
    commit(store, state(key("a")), state(key("b")), state(key("a", "zoo")))
    commit(store, state(key("a"), version=2))
    commit(store, state(key("a"), version=2, content="moved"))
    commit(store, state(key("b"), deleted=True))
    with store.write() as transaction:
        transaction.put_parse_errors([parse_error("x.py"), parse_error("y.py", namespace="only")])
    with store.read() as snapshot:
        assert snapshot.counts().namespaces == (
            NamespaceCounts("default", dags=1, deleted=1, versions=3, parse_errors=1),
            NamespaceCounts("only", dags=0, deleted=0, versions=0, parse_errors=1),
            NamespaceCounts("zoo", dags=1, deleted=0, versions=1, parse_errors=0),
        )


def _put_files(store: Store, *files: str) -> None:
    with store.write() as transaction:
        transaction.put_parse_errors([parse_error(file) for file in files])


def _files(store: Store) -> list[str]:
    with store.read() as snapshot:
        return [error.file for error in _all(snapshot)]


def _all(snapshot: Snapshot) -> list[ParseError]:
    return list(snapshot.parse_errors(None, None, after=None, limit=10_000))
