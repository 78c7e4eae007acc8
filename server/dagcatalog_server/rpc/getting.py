"""Get: from memory where that is fresh enough, from the store otherwise."""

from dataclasses import dataclass

from cachetools import LRUCache

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.errors import BlobCorrupt
from dagcatalog_server.catalog.model import Position
from dagcatalog_server.catalog.names import check_hash
from dagcatalog_server.catalog.reading import GetQuery, Selector
from dagcatalog_server.replica.heads import Head
from dagcatalog_server.replica.present import Present
from dagcatalog_server.rpc import answers, requests
from dagcatalog_server.rpc.call import Call, decode
from dagcatalog_server.rpc.dags import EncodedDags, head_of
from dagcatalog_server.rpc.threads import Threads
from dagcatalog_server.rpc.view import Form, View

_HEAD = Selector()

# Questions that are kept as they were understood; clients ask the same ones over and over.
_MAX_QUESTIONS = 10_000
_MAX_QUESTION_BYTES = 1024


@dataclass(frozen=True, slots=True)
class _Question:
    """A Get as it was understood."""

    query: GetQuery
    form: Form
    local: bool
    at_least: Position | None
    of_head: bool
    """The present is asked for: memory may answer."""


class Getting:
    """The method Get.

    The same question at the same position has the same answer, to the byte; so what is asked all
    the time is understood once, and encoded once a position.
    """

    def __init__(
        self, catalog: Catalog, threads: Threads, present: Present, dags: EncodedDags
    ) -> None:
        self._catalog = catalog
        self._threads = threads
        self._present = present
        self._dags = dags
        self._questions: dict[bytes, _Question] = {}
        self._answers = _Answers(dags.shares.answers)

    async def get(self, wire: bytes, call: Call) -> bytes:
        """Read one DAG; takes the request as it came."""
        asked = self._questions.get(wire) or self._understand(wire)
        if not asked.of_head:
            return await self._from_store(asked)
        position = await self._present.position(asked.at_least, local=asked.local)
        if position is None:
            return await self._from_store(asked)
        ready = self._answers.get(position, wire)
        if ready is not None:
            return ready
        head = self._present.heads.get(asked.query.key)
        if head is None:
            return await self._from_store(asked)
        try:
            answer = await self._answer(asked, head, position)
        except BlobCorrupt:
            return await self._from_store(asked)  # pruned, maybe: then there is a newer head
        self._answers.put(position, wire, answer)
        return answer

    def _understand(self, wire: bytes) -> _Question:
        request = decode(pb.GetRequest, wire)
        query = requests.get_query(request)
        asked = _Question(
            query=query,
            form=requests.form(request, default=View.DOCUMENT),
            local=requests.is_local(request),
            at_least=requests.position(request, "min_position"),
            of_head=query.selector == _HEAD and not query.include_deleted,
        )
        if len(wire) <= _MAX_QUESTION_BYTES:
            if len(self._questions) >= _MAX_QUESTIONS:
                self._questions.clear()
            self._questions[wire] = asked
        return asked

    async def _from_store(self, asked: _Question) -> bytes:
        try:
            return await self._read(asked)
        except BlobCorrupt:
            # The state and its content are two questions; what is pruned in between looks like
            # damage, but only once.
            return await self._read(asked)

    async def _read(self, asked: _Question) -> bytes:
        answer = await self._threads.call(self._catalog.get, asked.query, asked.at_least)
        return await self._answer(asked, head_of(answer.change), answer.position)

    async def _answer(self, asked: _Question, head: Head, position: Position) -> bytes:
        told = pb.GetResponse(position=answers.position(position))
        form = asked.form
        if asked.query.if_none_match:
            check_hash("if_none_match", asked.query.if_none_match)
            if asked.query.if_none_match == head.content_hash:
                told.not_modified = True
                form = Form(View.SUMMARY)
        dag = await self._dags.one(head, form)
        return b"".join((dag, told.SerializeToString()))


class _Answers:
    """Whole answers at the newest position, within a bound on their bytes."""

    def __init__(self, max_bytes: int) -> None:
        self._position: Position | None = None
        self._kept: LRUCache[bytes, bytes] = LRUCache(max_bytes, getsizeof=len)

    def get(self, position: Position, question: bytes) -> bytes | None:
        return self._kept.get(question) if position is self._position else None

    def put(self, position: Position, question: bytes, answer: bytes) -> None:
        if position is not self._position:
            self._kept.clear()
            self._position = position
        if len(answer) <= self._kept.maxsize:
            self._kept[question] = answer
