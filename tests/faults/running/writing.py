"""Writes of every kind, each sent until it is answered."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from functools import partial

from tests.faults.checking.history import (
    Acknowledged,
    Attempt,
    Expected,
    Key,
    Put,
    Refused,
    Write,
    WriteOp,
)
from tests.faults.running.caller import DAGS_OF_A_FILE, FILES, NAMESPACES, TIMEOUT_S, Caller
from tests.faults.running.calls import send
from tests.support.dags import dag_document
from tests.support.wire import canonical

STILL = "middle"
"""Between the two: of pages of DAGs, the first and the last change."""
PUT_BACK = 0.25
"""Puts of a content that was there before, maybe: nothing, a refresh, or a version that comes back."""
FILL_TIMEOUT_S = 20.0
MAX_ATTEMPTS = 6
MAX_BATCH = 300


class Writing(Caller):
    """A caller that writes."""

    async def fill(self, dags: int) -> None:
        """Write DAGs that nobody touches again: what a replica reads when it starts is long."""
        for start in range(0, dags, MAX_BATCH):
            keys = [(STILL, f"s{n}") for n in range(start, min(start + MAX_BATCH, dags))]
            await self._write(partial(self._puts, keys), FILL_TIMEOUT_S)

    async def _put(self) -> None:
        await self._write(lambda: self._puts([self._key()]))

    async def _compare_and_set(self) -> None:
        key = self._key()
        await self._write(lambda: self._puts([key], self._expected(key)))

    async def _put_batch(self) -> None:
        namespace, file = self._source.choice(NAMESPACES), self._source.choice(FILES)
        names = [f"{file}{n}" for n in range(DAGS_OF_A_FILE)]
        chosen = self._source.sample(names, self._source.randrange(1, DAGS_OF_A_FILE + 1))
        keys = [(namespace, one) for one in chosen]
        expected = self._expected(keys[0]) if self._source.random() < 0.3 else None
        replace = f"{file}.py" if len(keys) == 1 or self._source.random() < 0.4 else ""
        await self._write(lambda: self._puts(keys, expected, replace))

    async def _delete(self) -> None:
        namespace, dag_id = key = self._key()
        expected = self._expected(key) if self._source.random() < 0.3 else None
        await self._write(
            lambda: Write(self._request_id(), namespace, delete=dag_id, expected=expected)
        )

    async def _again(self) -> None:
        """Send an acknowledged write again, to any replica: nothing may come of it."""
        if self._acknowledged:
            await self._attempt(self._source.choice(self._acknowledged))

    async def _write(self, make: Callable[[], Write], timeout_s: float = TIMEOUT_S) -> None:
        op = WriteOp(make())
        self._history.writes.append(op)
        for _ in range(MAX_ATTEMPTS):
            answer = await self._attempt(op, timeout_s)
            if isinstance(answer, Acknowledged) and self._repeats:
                self._acknowledged.append(op)
            if answer is not None or not self._repeats:
                return
            await asyncio.sleep(self._source.uniform(0.05, 0.3))

    async def _attempt(
        self, op: WriteOp, timeout_s: float = TIMEOUT_S
    ) -> Acknowledged | Refused | None:
        replica = self._replica()
        began = time.monotonic()
        # Before it is sent: if this task ends while it waits, the sending is known all the same.
        op.attempts.append(Attempt(replica.label, began, began, None))
        place = len(op.attempts) - 1
        answer = await send(self._api(replica), op.write, self._documents, timeout_s)
        op.attempts[place] = Attempt(replica.label, began, time.monotonic(), answer)
        if isinstance(answer, Acknowledged):
            self._learn(answer.revision, *answer.heads, *answer.deleted)
        return answer

    def _puts(self, keys: list[Key], expected: Expected | None = None, replace: str = "") -> Write:
        """Make a write of contents, some as they were before; only the first is conditional."""
        request_id = self._request_id()
        puts: list[Put] = []
        for namespace, dag_id in keys:
            document = self._document(dag_id, f"{namespace} {request_id}")
            if self._source.random() < PUT_BACK:
                document = canonical(dag_document(dag_id, description=self._source.choice("xyz")))
            content_hash = hashlib.sha256(document).hexdigest()
            self._documents[content_hash] = document
            file = f"{dag_id[0]}.py"
            puts.append(Put((namespace, dag_id), file, content_hash, None if puts else expected))
        return Write(request_id, keys[0][0], tuple(puts), replace=replace)

    def _document(self, dag_id: str, text: str) -> bytes:
        tasks = ("extract", f"load{self._source.randrange(3)}")
        cron = f"{self._source.randrange(2)} 3 * * *"
        return canonical(dag_document(dag_id, description=text, tasks=tasks, cron=cron))

    def _expected(self, key: Key) -> Expected:
        """Expect what is known of a DAG; it may have changed since."""
        known = self._known.get(key)
        by_version = self._source.random() < 0.5
        if known is None or known.deleted:
            return Expected(version=0) if by_version else Expected(content_hash="")
        version, content_hash = known.version, known.content_hash
        return Expected(version=version) if by_version else Expected(content_hash=content_hash)
