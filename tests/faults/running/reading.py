"""Reads of every kind: of heads and of the past, with every consistency."""

import time

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.faults.checking.history import (
    Found,
    Key,
    Listing,
    Page,
    Read,
    Refused,
)
from tests.faults.checking.violations import Rule, Violation
from tests.faults.running.caller import FILES, KEYS, NAMESPACES, TIMEOUT_S, Caller
from tests.faults.running.calls import answer_of, head, is_its_content
from tests.faults.running.cluster import Replica

PAGE = 2


class Reading(Caller):
    """A caller that reads."""

    async def read_everything(self) -> None:
        """Read every DAG and one list, from every replica."""
        for replica in self._cluster.replicas:
            for key in KEYS:
                await self._read(key, replica=replica)
            await self._list_all(pb.ListRequest(namespace=NAMESPACES[0]), replica)

    async def _get(self) -> None:
        await self._read(self._key())

    async def _get_local(self) -> None:
        await self._read(self._key(), local=True)

    async def _get_at_least(self) -> None:
        local = self._source.random() < 0.5
        await self._read(self._key(), local=local, min_revision=self._revision)

    async def _get_past(self) -> None:
        await self._read(self._key(), at=self._past())

    async def _read(
        self,
        key: Key,
        *,
        local: bool = False,
        min_revision: int = 0,
        at: int | None = None,
        replica: Replica | None = None,
    ) -> None:
        replica = replica or self._replica()
        request = pb.GetRequest(
            namespace=key[0],
            dag_id=key[1],
            view=self._source.choice([res.DAG_VIEW_SUMMARY, res.DAG_VIEW_DOCUMENT]),
            consistency=pb.CONSISTENCY_LOCAL if local else pb.CONSISTENCY_UNSPECIFIED,
        )
        if self._source.random() < 0.5:
            request.accept_encodings.append(res.DOCUMENT_ENCODING_ZSTD)
        if min_revision:
            request.min_position.revision = min_revision
        if at is not None:
            request.at_position.revision = at
        label, began = replica.label, time.monotonic()
        answer = await answer_of(self._api(replica).Get(request, timeout=TIMEOUT_S))
        ended = time.monotonic()
        if answer is None:
            return
        if isinstance(answer, pb.GetResponse):
            self._check_document(request, answer)
        told = answer if isinstance(answer, Refused) else _found(answer)
        self._history.reads.append(
            Read(self.name, label, began, ended, key, told, local, at, min_revision)
        )
        if isinstance(told, Found):
            self._learn(told.revision, *([] if at is not None else [told.head]))

    def _check_document(self, request: pb.GetRequest, answer: pb.GetResponse) -> None:
        if request.view == res.DAG_VIEW_DOCUMENT and not is_its_content(answer.dag):
            where = f"{self.name}: {answer.dag.summary}"
            self._history.violations.append(Violation(Rule.UNTRUE_READ, where))

    async def _list(self) -> None:
        prefix = self._source.choice(["", "", *FILES])
        request = pb.ListRequest(namespace=self._source.choice(NAMESPACES), page_size=PAGE)
        request.filter.dag_id_prefix = prefix
        await self._list_all(request)

    async def _list_past(self) -> None:
        request = pb.ListRequest(namespace=self._source.choice(NAMESPACES), page_size=PAGE)
        request.at_position.revision = self._past()
        await self._list_all(request)

    async def _list_all(self, request: pb.ListRequest, replica: Replica | None = None) -> None:
        """Page to the end, each page from any replica."""
        at = request.at_position.revision if request.HasField("at_position") else None
        pages: list[Page] = []
        while True:
            one = replica or self._replica()
            began = time.monotonic()
            answer = await answer_of(self._api(one).List(request, timeout=TIMEOUT_S))
            ended = time.monotonic()
            if isinstance(answer, pb.ListResponse):
                heads = tuple(head(dag) for dag in answer.dags)
                revision = answer.position.revision
                pages.append(Page(began, ended, revision, answer.total_size, heads))
                request.page_token = answer.next_page_token
                if request.page_token:
                    continue
            break
        listing = Listing(
            self.name,
            one.label,
            request.namespace,
            request.filter.dag_id_prefix,
            tuple(pages),
            complete=isinstance(answer, pb.ListResponse),
            refused=answer if isinstance(answer, Refused) else None,
            refused_began=began,
            refused_at=ended,
            at=at,
        )
        self._history.listings.append(listing)


def _found(answer: pb.GetResponse) -> Found:
    return Found(head(answer.dag.summary), answer.position.revision)
