"""The mirror: what each event of a watch makes of the local copy."""

import pytest

from dagcatalog_client import Bookmark, DagSummary, OutOfRange, Position
from dagcatalog_client.informer.entry import Entry
from dagcatalog_client.informer.events import Changes, Effect, Happened, MirrorEvent, State
from dagcatalog_client.informer.mirror import Mirror
from tests.support.entries import entry


def at(revision: int, epoch: str = "e") -> Position:
    return Position(epoch, revision)


def synced(revision: int, epoch: str = "e") -> Bookmark:
    return Bookmark(at(revision, epoch), synced=True, draining=False)


def mark(revision: int, epoch: str = "e") -> Bookmark:
    return Bookmark(at(revision, epoch), synced=False, draining=False)


def changed(revision: int, *entries: Entry, epoch: str = "e") -> Changes:
    return Changes(at(revision, epoch), [Happened(one, deleted=False) for one in entries])


def gone(revision: int, one: Entry) -> Changes:
    return Changes(at(revision), [Happened(one, deleted=True)])


def told(effects: list[Effect]) -> list[tuple[str, str]]:
    return [(one.kind.value, (one.new or one.old or entry("")).dag_id) for one in effects]


def take(mirror: Mirror, *events: MirrorEvent) -> list[tuple[str, str]]:
    heard: list[Effect] = []
    for event in events:
        update = mirror.prepare(event)
        mirror.commit(update)
        heard += update.effects
    return told(heard)


def names(mirror: Mirror) -> dict[str, int]:
    assert mirror.kept is not None
    return {one.dag_id: one.revision for one in mirror.kept.entries()}


def position(mirror: Mirror) -> Position | None:
    return None if mirror.kept is None else mirror.kept.position


def started(*entries: Entry, revision: int = 5, **functions: object) -> Mirror:
    mirror = Mirror(dict(functions))  # type: ignore[arg-type]  # functions of indexes
    mirror.begin()
    take(mirror, State(at(revision), entries), synced(revision))
    return mirror


def test_nothing_of_a_first_state_counts_before_it_is_synced() -> None:
    mirror = Mirror()
    assert mirror.begin() is None
    assert take(mirror, State(at(5), [entry("a")]), State(at(5), [entry("b")])) == []
    assert position(mirror) is None
    assert take(mirror, synced(5)) == [("added", "a"), ("added", "b")]
    assert position(mirror) == at(5)


def test_a_break_before_the_sync_leaves_nothing_behind() -> None:
    mirror = Mirror()
    mirror.begin()
    take(mirror, State(at(5), [entry("a")]))
    assert mirror.begin() is None
    take(mirror, State(at(6), [entry("b")]), synced(6))
    assert names(mirror) == {"b": 1}


def test_changes_come_one_after_the_other() -> None:
    mirror = started(entry("a"), entry("b"))
    heard = take(mirror, changed(6, entry("a", 6), entry("c", 6)), gone(7, entry("b", 7)), mark(9))
    assert heard == [("updated", "a"), ("added", "c"), ("deleted", "b")]
    assert names(mirror) == {"a": 6, "c": 6}
    assert mirror.begin() == at(9)


def test_one_set_may_change_a_dag_twice() -> None:
    mirror = started()
    event = Changes(
        at(6),
        [
            Happened(entry("a", 6), deleted=False),
            Happened(entry("a", 6), deleted=True),
            Happened(entry("a", 6, text="new"), deleted=False),
        ],
    )
    assert take(mirror, event) == [("added", "a"), ("deleted", "a"), ("added", "a")]


def test_what_is_known_already_changes_nothing() -> None:
    mirror = started(entry("a"))
    take(mirror, changed(7, entry("a", 7)))
    assert take(mirror, changed(7, entry("a", 7)), changed(6, entry("a", 6)), mark(3)) == []
    assert names(mirror) == {"a": 7}
    assert mirror.begin() == at(7)


def test_a_deletion_of_what_is_not_there_is_not_told() -> None:
    assert take(started(), gone(6, entry("a", 6))) == []


def test_the_old_state_is_served_until_the_new_one_is_whole_and_then_the_difference_is_told() -> (
    None
):
    same, old, lost = entry("same"), entry("other"), entry("lost")
    mirror = started(same, old, lost)
    mirror.relist()
    assert mirror.begin() is None
    assert take(mirror, State(at(9), [entry("new", 9), entry("other", 8), entry("same")])) == []
    assert names(mirror) == {"same": 1, "other": 1, "lost": 1}
    heard = take(mirror, synced(9))
    assert heard == [("added", "new"), ("updated", "other"), ("deleted", "lost")]
    assert mirror.kept is not None
    assert mirror.kept.find(("default", "same")) is same
    assert mirror.begin() == at(9)


def test_a_new_state_never_goes_back_within_an_epoch() -> None:
    mirror = started(entry("a"), revision=5)
    mirror.relist()
    mirror.begin()
    take(mirror, State(at(4), []))
    with pytest.raises(OutOfRange, match="before 5"):
        mirror.prepare(synced(4))
    assert names(mirror) == {"a": 1}
    assert mirror.begin() is None  # it tries again, from the present


def test_another_epoch_may_begin_anywhere() -> None:
    mirror = started(entry("a"), revision=5)
    mirror.relist()
    mirror.begin()
    assert take(mirror, State(at(2, "f"), [entry("b")]), synced(2, "f")) == [
        ("added", "b"),
        ("deleted", "a"),
    ]
    assert mirror.begin() == at(2, "f")


@pytest.mark.parametrize("event", [changed(9, entry("a", 9), epoch="f"), mark(9, "f")])
def test_another_epoch_in_the_middle_of_a_watch_is_refused(event: MirrorEvent) -> None:
    mirror = started(entry("a"))
    with pytest.raises(OutOfRange, match="epoch"):
        mirror.prepare(event)
    assert names(mirror) == {"a": 1}


def test_changes_before_the_state_that_they_change_are_refused() -> None:
    mirror = Mirror()
    mirror.begin()
    with pytest.raises(OutOfRange):
        mirror.prepare(changed(1, entry("a")))


def test_what_is_loaded_is_told_and_resumed_from() -> None:
    mirror = Mirror()
    update = mirror.load(at(5), [entry("a")])
    mirror.commit(update)
    assert mirror.begin() == at(5)
    assert take(mirror, changed(6, entry("a", 6))) == [("updated", "a")]


def test_an_index_follows_every_change() -> None:
    def tags(summary: DagSummary) -> tuple[str, ...]:
        return summary.tags

    mirror = started(entry("b", tags=("x", "y")), entry("a", tags=("x",)), tag=tags)

    def found(key: str) -> list[str]:
        assert mirror.kept is not None
        return [one.dag_id for one in mirror.kept.indexes.find("tag", key)]

    assert (found("x"), found("y"), found("z")) == (["a", "b"], ["b"], [])
    take(mirror, changed(6, entry("b", 6, tags=("z",))))
    assert (found("x"), found("y"), found("z")) == (["a"], [], ["b"])
    take(mirror, gone(7, entry("a", 7)))
    assert found("x") == []
    mirror.relist()
    mirror.begin()
    take(mirror, State(at(8), [entry("c", 8, tags=("z",))]), synced(8))
    assert found("z") == ["c"]


def test_an_index_that_raises_leaves_out_what_it_raised_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def first_tag(summary: DagSummary) -> tuple[str, ...]:
        return (summary.tags[0],)

    mirror = started(entry("bare"), entry("a", tags=("x",)), tag=first_tag)
    assert mirror.kept is not None
    assert [one.dag_id for one in mirror.kept.indexes.find("tag", "x")] == ["a"]
    assert "bare" in caplog.text


def test_a_summary_is_decoded_once_and_kept_over_a_new_state() -> None:
    mirror = started(entry("a", tags=("x",)))
    assert mirror.kept is not None
    summary = mirror.kept.entries()[0].summary
    assert summary.tags == ("x",)
    mirror.relist()
    mirror.begin()
    take(mirror, State(at(9), [entry("a", tags=("x",))]), synced(9))
    assert mirror.kept.entries()[0].summary is summary
