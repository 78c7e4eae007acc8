"""Consumers that watch, hang up, are cut off, and resume elsewhere; all that they are told is kept."""

import asyncio
import random
import time
from dataclasses import dataclass, replace

import grpc
from google.protobuf.duration_pb2 import Duration

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import catalog_service_pb2_grpc as pb_grpc
from dagcatalog.v1 import resources_pb2 as res
from tests.faults.checking.history import (
    Asked,
    BookmarkTold,
    ChangesTold,
    History,
    Refused,
    Session,
    StateTold,
    Told,
)
from tests.faults.checking.violations import Rule, Violation
from tests.faults.running.calls import head, is_its_content, refusal, row
from tests.faults.running.cluster import SIDES, Cluster, Replica, open_channel
from tests.support.wire import WatchCall

ALL = "-"
BOOKMARK_S = 1
SILENCE_S = 3.0
"""A consumer that hears nothing for so long, not even a bookmark, goes elsewhere."""
PAUSE_S = 0.1
MAX_PATIENCE_S = 8.0
"""Consumers hang up by themselves, so that there is much to resume."""
RESUMES_FROM_BEFORE = 0.2
MAX_STEPS_BACK = 30


@dataclass(frozen=True)
class Consumer:
    """What one watcher asks for, every time."""

    name: str
    asked: Asked
    documents: bool = False
    read_every_s: float = 0.0
    """Slow readers wait so long after each event."""


def consumers(namespace: str) -> list[Consumer]:
    """One of each kind; they begin at the beginning, or with the present."""
    beginning = Asked(after=0)
    of_one = frozenset({namespace})
    structure = frozenset({int(res.CHANGE_CLASS_STRUCTURE)})
    return [
        Consumer("plain", beginning),
        Consumer("plain-with-documents", beginning, documents=True),
        Consumer("prefix", replace(beginning, prefix="b")),
        Consumer("structure", replace(beginning, classes=structure)),
        Consumer("state", Asked()),
        Consumer("state-of-one", Asked(of_one), documents=True),
        Consumer("conflating", replace(beginning, conflate=True), read_every_s=0.3),
        Consumer("conflating-state", Asked(of_one, conflate=True), read_every_s=0.1),
    ]


class Watcher:
    """Watches until it is told to end, whatever happens to its calls."""

    def __init__(
        self, consumer: Consumer, cluster: Cluster, history: History, source: random.Random
    ) -> None:
        self.consumer = consumer
        self.reached = 0
        """The last position that it was told."""
        self.calm = False
        """No longer hangs up by itself."""
        self._cluster = cluster
        self._history = history
        self._source = source

    async def run(self) -> None:
        """Watch until cancelled."""
        after = self.consumer.asked.after
        while True:
            session = await self._watch(after)
            if session.end is not None and session.end.code == "OUT_OF_RANGE":
                after = None  # what was asked for is gone: the present, and on from there
            else:
                after = self._resume_after(session)
            await asyncio.sleep(PAUSE_S)

    def _resume_after(self, session: Session) -> int | None:
        last = session.revision
        if last is None or self._source.random() > RESUMES_FROM_BEFORE:
            return last
        return max(0, last - self._source.randrange(MAX_STEPS_BACK))

    async def _watch(self, after: int | None) -> Session:
        replica = self._source.choice(self._cluster.replicas)
        asked = replace(self.consumer.asked, after=after)
        session = Session(self.consumer.name, replica.label, time.monotonic(), asked)
        self._history.sessions.append(session)
        narrow = [("grpc.http2.lookahead_bytes", 1024)] if self.consumer.read_every_s else []
        side = self._source.choice(SIDES)
        async with open_channel(side, replica, *narrow) as channel:
            call: WatchCall = pb_grpc.CatalogServiceStub(channel).Watch(self._request(asked))
            try:
                session.end = await self._read(call, session, replica)
            finally:
                call.cancel()
                session.ended = time.monotonic()
        return session

    def _request(self, asked: Asked) -> pb.WatchRequest:
        request = pb.WatchRequest(
            namespaces=sorted(asked.namespaces) if asked.namespaces else [ALL],
            dag_id_prefix=asked.prefix,
            classes=[res.ChangeClass.ValueType(one) for one in sorted(asked.classes)],
            view=res.DAG_VIEW_DOCUMENT if self.consumer.documents else res.DAG_VIEW_SUMMARY,
            bookmark_interval=Duration(seconds=BOOKMARK_S),
            conflate=asked.conflate,
        )
        if asked.after is None:
            request.initial_state = True
        else:
            request.after.revision = asked.after
        return request

    async def _read(self, call: WatchCall, session: Session, replica: Replica) -> Refused | None:
        """Read to the end of the call or of our patience; tell how the service ended it."""
        leaves_at = time.monotonic() + self._source.uniform(0.5, MAX_PATIENCE_S)
        try:
            while self.calm or time.monotonic() < leaves_at:
                async with asyncio.timeout(SILENCE_S):
                    event = await call.read()
                if not isinstance(event, pb.WatchResponse):
                    return await self._end_of(call)
                self._keep(session, event)
                await asyncio.sleep(self.consumer.read_every_s)
        except grpc.aio.AioRpcError as error:
            return refusal(error)
        except (TimeoutError, asyncio.InvalidStateError):
            pass
        return None

    async def _end_of(self, call: WatchCall) -> Refused | None:
        return Refused("OK") if await call.code() is grpc.StatusCode.OK else None

    def _keep(self, session: Session, event: pb.WatchResponse) -> None:
        told = self._told(event)
        session.told.append(told)
        if not isinstance(told, StateTold):
            self.reached = max(self.reached, told.revision)

    def _told(self, event: pb.WatchResponse) -> Told:
        now, revision = time.monotonic(), event.position.revision
        match event.WhichOneof("event"):
            case "state":
                self._check_documents(list(event.state.dags))
                return StateTold(
                    now, revision, tuple(head(one.summary) for one in event.state.dags)
                )
            case "change_set":
                changes = event.change_set.changes
                self._check_documents([one.dag for one in changes])
                rows = tuple(row(one) for one in changes)
                return ChangesTold(now, revision, rows, event.change_set.conflated)
        bookmark = event.bookmark
        return BookmarkTold(now, revision, bookmark.synced, bookmark.draining)

    def _check_documents(self, dags: list[res.Dag]) -> None:
        for dag in dags if self.consumer.documents else ():
            if not is_its_content(dag):
                where = f"{self.consumer.name}: {dag.summary}"
                self._history.violations.append(Violation(Rule.WATCH_UNTRUE, where))
