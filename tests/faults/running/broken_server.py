"""The real server with one defect, to show that the checkers find it: `broken_server DEFECT serve …`."""

import random
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from sqlalchemy import func, select, text

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_server.__main__ import main
from dagcatalog_server.catalog import planning
from dagcatalog_server.catalog.model import Clock, RequestRecord
from dagcatalog_server.catalog.planning import Plan
from dagcatalog_server.catalog.writes import Write
from dagcatalog_server.replica.read_index import ReadIndex
from dagcatalog_server.rpc.watching import WatchingMethods
from dagcatalog_server.store.sql_reading import SqlSnapshot
from dagcatalog_server.store.sql_tables import change
from dagcatalog_server.store.sql_tables import clock as clock_table
from dagcatalog_server.store.sql_writing import SqlTransaction

MAKE_SEQUENCE = "CREATE SEQUENCE IF NOT EXISTS revisions"
NEXT_REVISION = "SELECT nextval('revisions') FROM generate_series(1, :count)"
STALE_FOR_S = 1.0


def sequence() -> None:
    """Take revisions from a sequence: whoever commits later may have the smaller one."""

    def tick(self: SqlTransaction, count: int) -> int:
        taken = self._connection.execute(text(NEXT_REVISION), {"count": count}).scalars().all()
        # Group commit numbers its writes backwards from the last: they must be in a row here too.
        if list(taken) != list(range(taken[0], taken[0] + count)):
            return tick(self, count)
        return int(taken[-1])

    def clock(self: SqlSnapshot) -> Clock:
        row = self._connection.execute(select(clock_table)).one()
        revision = self._connection.execute(select(func.max(change.c.revision))).scalar_one()
        return Clock(row.epoch, revision or 0, row.compacted_revision)

    _replace(SqlTransaction, "tick", tick)
    _replace(SqlSnapshot, "clock", clock)


def stale_read() -> None:
    """Answer linearizable reads with a clock that was read for somebody else, a while ago."""
    honest = ReadIndex.clock
    kept: dict[int, tuple[float, Clock]] = {}

    async def clock(self: ReadIndex) -> Clock:
        read_at, known = kept.get(id(self), (0.0, None))
        if known is None or time.monotonic() > read_at + STALE_FOR_S:
            known = await honest(self)
            kept[id(self)] = (time.monotonic(), known)
        return known

    _replace(ReadIndex, "clock", clock)


def split_revision() -> None:
    """Tell each change of a revision in a message of its own."""

    def split(event: pb.WatchResponse) -> list[pb.WatchResponse]:
        if len(event.change_set.changes) < 2:
            return [event]
        return [
            pb.WatchResponse(position=event.position, change_set=pb.ChangeSet(changes=[one]))
            for one in event.change_set.changes
        ]

    _retell(lambda _, event: split(event))


def skip_a_resume() -> None:
    """Begin with the revision after the one that should come next."""
    honest = WatchingMethods.watch

    def watch(
        self: WatchingMethods, request: pb.WatchRequest, call: Any
    ) -> AsyncGenerator[pb.WatchResponse | bytes, None]:
        if request.HasField("after") and random.random() < 0.5:
            request.after.revision += 1
        return honest(self, request, call)

    _replace(WatchingMethods, "watch", watch)


def lose_an_event() -> None:
    """Leave out a revision now and then, and let bookmarks go on as if nothing was missing."""

    def lose(request: pb.WatchRequest, event: pb.WatchResponse) -> list[pb.WatchResponse]:
        lost = event.HasField("change_set") and random.random() < 0.05
        return [] if lost else [event]

    _retell(lose)


def write_twice() -> None:
    """Forget what requests did: a retry is a new write."""

    def forget(self: Plan, write: Write) -> None:
        return None

    def remember(self: SqlTransaction, records: Sequence[RequestRecord]) -> None:
        return None

    _replace(Plan, "_first_outcome", forget)
    _replace(SqlTransaction, "remember", remember)


def unchecked_precondition() -> None:
    """Write whatever the precondition says."""
    _replace(planning, "check_precondition", lambda *_: None)


def _replace(owner: object, name: str, broken: object) -> None:
    """Put a defect in; a name that the server no longer has would be no defect."""
    assert hasattr(owner, name), f"{owner} has no {name}"
    setattr(owner, name, broken)


def _retell(
    retell: Callable[[pb.WatchRequest, pb.WatchResponse], list[pb.WatchResponse]],
) -> None:
    honest = WatchingMethods.watch

    async def watch(
        self: WatchingMethods, request: pb.WatchRequest, call: Any
    ) -> AsyncGenerator[pb.WatchResponse | bytes, None]:
        async for wire in honest(self, request, call):
            event = pb.WatchResponse.FromString(wire) if isinstance(wire, bytes) else wire
            for one in retell(request, event):
                yield one

    _replace(WatchingMethods, "watch", watch)


DEFECTS: dict[str, Callable[[], None]] = {
    one.__name__: one
    for one in (
        sequence,
        stale_read,
        split_revision,
        skip_a_resume,
        lose_an_event,
        write_twice,
        unchecked_precondition,
    )
}

if __name__ == "__main__":
    DEFECTS[sys.argv.pop(1)]()
    main()
