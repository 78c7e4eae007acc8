"""Awkward texts and times: the same in every store."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from dagcatalog_server.catalog.model import DagState, Projection, Provenance
from dagcatalog_server.catalog.ports import Store
from tests.support.stored import MOMENT, commit, key, parse_error, record, state

TEXTS = (
    "🌙 emoji",
    "%_\\",
    "'; DROP TABLE change; --",
    '"double"',
    "Ünïcödé İı",
    "line\nbreak\r\ttab",
    "\x01\x1b\x1f\x7f\u0085\u2028",
    ":name %(name)s {0} $1 ?",
    "\ufeffmark\ufffd\U0010ffff",
    " spaces ",
    "",
)


def test_awkward_texts_come_back_and_are_told_apart(store: Store) -> None:
    written = [_dag_of_text(f"{number}{text}", text) for number, text in enumerate(TEXTS)]
    commit(store, *written)
    with store.read() as snapshot:
        assert [change.state for change in snapshot.changes(after=0, limit=99)] == written
        for dag in written:
            assert snapshot.heads([dag.key])[dag.key].state == dag
            place = (dag.provenance.bundle_name, dag.provenance.file)
            found = snapshot.file_heads("default", *place)
            assert [head.state for head in found] == [dag]


def test_awkward_texts_of_requests_and_parse_errors_come_back(store: Store) -> None:
    records = [replace(record(f"id{text}"), outcome=text, fingerprint=text) for text in TEXTS]
    errors = [
        replace(parse_error(f"{number}{text}", message=text), stack_trace=text, actor=text)
        for number, text in enumerate(TEXTS)
    ]
    with store.write() as transaction:
        transaction.remember(records)
        transaction.put_parse_errors(errors)
    with store.read() as snapshot:
        kept = snapshot.requests("default", [each.request_id for each in records])
        assert [kept[each.request_id] for each in records] == records
        found = snapshot.parse_errors(None, None, after=None, limit=99)
    assert found == sorted(errors, key=lambda error: error.file)


def test_long_texts_come_back(store: Store) -> None:
    text = "long 🌙 " * 5000
    commit(store, replace(_dag_of_text("a", "short"), projection=Projection(description=text)))
    with store.read() as snapshot:
        assert snapshot.heads([key("a")])[key("a")].state.projection.description == text


@pytest.mark.parametrize("text", ["a\0b", "\udc80"], ids=["nul", "lone surrogate"])
@pytest.mark.parametrize(
    "make",
    [
        lambda text: replace(state(key("a")), actor=text),
        lambda text: replace(state(key("a")), delete_reason=text),
        lambda text: replace(state(key("a")), provenance=Provenance(file=text)),
    ],
    ids=["actor", "delete_reason", "file"],
)
def test_a_text_that_no_database_keeps_is_a_value_error_and_nothing_is_written(
    store: Store, make: Callable[[str], DagState], text: str
) -> None:
    with pytest.raises(ValueError, match=r"NUL|surrogates"):
        commit(store, make(text))
    with store.read() as snapshot:
        assert snapshot.clock().revision == 0


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 30, 0, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
    ids=str,
)
def test_times_come_back_in_utc_to_the_microsecond(store: Store, moment: datetime) -> None:
    projection = Projection(start_date=moment, end_date=None)
    commit(store, replace(state(key("a"), projection=projection), created_at=moment))
    with store.read() as snapshot:
        read = snapshot.heads([key("a")])[key("a")].state
    assert read.created_at == moment
    assert read.created_at.tzinfo is UTC
    assert read.projection.start_date == moment
    assert read.projection.end_date is None


def test_a_time_of_another_zone_is_the_same_moment(store: Store) -> None:
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=5, minutes=45)))
    commit(store, replace(state(key("a")), created_at=elsewhere))
    with store.read() as snapshot:
        assert snapshot.heads([key("a")])[key("a")].state.created_at == MOMENT


def _dag_of_text(dag_id: str, text: str) -> DagState:
    projection = Projection(
        display_name=text,
        description=text,
        tags=(text, text + text),
        owners=(text,),
        operators=(text, ""),
        fileloc=text,
    )
    dag = state(key(dag_id), projection=projection, provenance=Provenance(text, text, dag_id))
    return replace(dag, labels={text: text}, actor=text, version_actor=text, delete_reason=text)
