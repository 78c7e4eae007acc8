"""A stream of concurrent writes to a server that may die at any moment."""

import asyncio
import random
import subprocess
from collections.abc import Sequence
from itertools import count
from typing import TypeAlias

import grpc
from grpc import StatusCode

from dagcatalog.v1 import catalog_service_pb2 as pb
from tests.faults.ledger import BUNDLE, Answer, Content, Ledger, Write
from tests.support.wire import Api

NAMESPACES = ("left", "right")
FILES = "abcd"
DAGS_OF_A_FILE = 4
WRITERS = 12
DEADLINE_S = 30.0

Acknowledged: TypeAlias = tuple[Write, Answer]


class Writes:
    """An endless supply of writes that contend for few DAGs, so that every outcome comes up."""

    def __init__(self, source: random.Random) -> None:
        self._source = source
        self._numbers = count(1)

    def next(self) -> Write:
        """Make a write that was never made before."""
        number, draw = next(self._numbers), self._source.random()
        request_id, namespace = f"request-{number}", self._source.choice(NAMESPACES)
        if draw < 0.15:
            return Write(request_id, namespace, delete=self._dag_id())
        if draw < 0.60:
            return Write(request_id, namespace, (self._content(self._dag_id(), number),))
        letter = self._source.choice(FILES) if draw < 0.80 else ""
        dag_ids = sorted({self._dag_id(letter) for _ in range(self._source.randrange(2, 6))})
        self._source.shuffle(dag_ids)
        puts = tuple(self._content(dag_id, number) for dag_id in dag_ids)
        return Write(request_id, namespace, puts, replace=f"{letter}.py" if letter else "")

    def _dag_id(self, letter: str = "") -> str:
        return f"{letter or self._source.choice(FILES)}{self._source.randrange(DAGS_OF_A_FILE)}"

    def _content(self, dag_id: str, number: int) -> Content:
        text = f"new in {number}" if self._source.random() < 0.6 else "as often before"
        return Content(dag_id, text, self._source.choice(["dags", "moved"]))


async def send(api: Api, write: Write) -> Answer | None:
    """Send a write; None: it was refused, the DAG that it deletes is not there."""
    try:
        return await _call(api, write)
    except grpc.aio.AioRpcError as error:
        if write.delete and error.code() is StatusCode.NOT_FOUND:
            return None
        raise


async def _call(api: Api, write: Write) -> Answer:
    request_id, namespace = write.request_id, write.namespace
    if write.delete:
        deletion = pb.DeleteRequest(
            namespace=namespace, dag_id=write.delete, reason=request_id, request_id=request_id
        )
        return await api.Delete(deletion, timeout=DEADLINE_S)
    items = [one.item() for one in write.puts]
    if len(items) == 1 and not write.replace:
        put = pb.PutRequest(namespace=namespace, item=items[0], request_id=request_id)
        return await api.Put(put, timeout=DEADLINE_S)
    batch = pb.PutBatchRequest(namespace=namespace, items=items, request_id=request_id)
    if write.replace:
        batch.replace.CopyFrom(pb.ReplaceFile(bundle_name=BUNDLE, file=write.replace))
    return await api.PutBatch(batch, timeout=DEADLINE_S)


class Stream:
    """Writers that write until their server is gone."""

    def __init__(self, apis: Sequence[Api], writes: Writes, ledger: Ledger) -> None:
        self._apis = apis
        self._writes = writes
        self._ledger = ledger
        self._answered = asyncio.Condition()
        self._killed = False
        self.answers = 0
        self.acknowledged: list[Acknowledged] = []
        self.unanswered: list[Write] = []
        """One of each writer: what it was waiting for."""

    async def run_until_killed(
        self, process: "subprocess.Popen[str]", *, after_answers: int, delay_s: float
    ) -> None:
        """Write, kill the server a moment after so many answers, and let the writers end."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(WRITERS):
                tasks.create_task(self._write(self._apis[number % len(self._apis)]))
            async with self._answered:
                await self._answered.wait_for(lambda: self.answers >= after_answers)
            await asyncio.sleep(delay_s)
            self._killed = True
            process.kill()

    async def _write(self, api: Api) -> None:
        while True:
            write = self._writes.next()
            try:
                answer = await send(api, write)
            except grpc.aio.AioRpcError as error:
                if not self._killed or error.code() is not StatusCode.UNAVAILABLE:
                    raise
                self.unanswered.append(write)
                return
            await self._note(write, answer)

    async def _note(self, write: Write, answer: Answer | None) -> None:
        if answer is not None:
            self._ledger.acknowledge(write, answer)
            self.acknowledged.append((write, answer))
        async with self._answered:
            self.answers += 1
            self._answered.notify_all()
