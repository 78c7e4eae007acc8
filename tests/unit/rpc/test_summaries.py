"""Summaries that are encoded once: the same bytes as ever, and never another change's."""

from dataclasses import replace

from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_server.rpc import answers
from dagcatalog_server.rpc.summaries import MAX_CHANGES, encoded_summary
from tests.support import stored

FIRST = replace(stored.change(stored.state(stored.key("a"))), revision=7)


def test_it_is_the_summary_that_protobuf_writes() -> None:
    told = res.DagSummary.FromString(encoded_summary(FIRST))
    assert told == answers.summary(7, FIRST.state)
    assert told.create_time.ToDatetime(tzinfo=stored.MOMENT.tzinfo) == stored.MOMENT


def test_it_is_encoded_once() -> None:
    assert encoded_summary(FIRST) is encoded_summary(FIRST)


def test_changes_that_follow_each_other_in_memory_are_not_mixed_up() -> None:
    for revision in range(1, MAX_CHANGES * 3):
        change = replace(FIRST, revision=revision)
        assert res.DagSummary.FromString(encoded_summary(change)).revision == revision
