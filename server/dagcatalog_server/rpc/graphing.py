"""Dependencies and Impact: from memory where it knows every live DAG, from the store otherwise."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.errors import (
    DagNotFound,
    InvalidArgument,
    RevisionOutOfRange,
    TooLarge,
)
from dagcatalog_server.catalog.graph import DagGraph
from dagcatalog_server.catalog.model import Position
from dagcatalog_server.catalog.names import check_key, check_namespace
from dagcatalog_server.replica.heads import Head
from dagcatalog_server.replica.present import Present
from dagcatalog_server.rpc import answers
from dagcatalog_server.rpc.call import Call
from dagcatalog_server.rpc.dags import head_of_row
from dagcatalog_server.rpc.threads import Threads

MAX_EDGES = 100_000
"""In one answer: 15 MiB or so."""
MAX_DEPTH = 100
MAX_GRAPHS = 16
"""Kept, each of one namespace at the newest position that was asked for."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The live DAGs of a namespace and the graph between them, at one position."""

    position: Position
    graph: DagGraph
    heads: dict[str, Head]


class GraphingMethods:
    """The part of the service that is about what lies between DAGs."""

    def __init__(self, catalog: Catalog, threads: Threads, present: Present) -> None:
        self._catalog = catalog
        self._threads = threads
        self._present = present
        self._kept: dict[str, tuple[Position, asyncio.Future[_Known]]] = {}

    async def dependencies(
        self, request: pb.DependenciesRequest, call: Call
    ) -> pb.DependenciesResponse:
        """Read the edges between the DAGs of a namespace, or around one of them."""
        namespace = check_namespace(request.namespace)
        key = check_key(namespace, request.dag_id) if request.dag_id else None
        known = await self._known(namespace)
        edges = known.graph.around(key.dag_id) if key else known.graph.edges
        if key and not edges and key.dag_id not in known.heads:
            raise DagNotFound(key)
        if len(edges) > MAX_EDGES:
            raise TooLarge("dag_id", "edges", size=len(edges), limit=MAX_EDGES)
        return pb.DependenciesResponse(
            dependencies=[answers.dependency(one) for one in edges],
            position=answers.position(known.position),
        )

    async def impact(self, request: pb.ImpactRequest, call: Call) -> pb.ImpactResponse:
        """Read what a change of a DAG reaches."""
        key = check_key(request.namespace, request.dag_id)
        if not 0 <= request.max_depth <= MAX_DEPTH:
            raise InvalidArgument("max_depth", f"{request.max_depth} is not in 0 to {MAX_DEPTH}")
        known = await self._known(key.namespace)
        if key.dag_id not in known.heads:
            raise DagNotFound(key)
        dags = await self._threads.call(_impacted, known, key.dag_id, request.max_depth or None)
        return pb.ImpactResponse(dags=dags, position=answers.position(known.position))

    async def _known(self, namespace: str) -> _Known:
        position = await self._present.position(None, local=False)
        if position is None:
            return await self._from_store(namespace)
        at, coming = self._kept.get(namespace, (None, None))
        if coming is None or at is not position:
            heads = self._present.heads.select(frozenset({namespace}), "")
            coming = asyncio.ensure_future(self._threads.call(_know, position, heads))
            if len(self._kept) >= MAX_GRAPHS:
                self._kept.clear()
            self._kept[namespace] = (position, coming)
        return await asyncio.shield(coming)  # one who leaves does not take it from the others

    async def _from_store(self, namespace: str) -> _Known:
        try:
            return await self._threads.call(self._read, namespace)
        except RevisionOutOfRange:  # compacted between two pages: the present has gone on
            return await self._threads.call(self._read, namespace)

    def _read(self, namespace: str) -> _Known:
        clock, rows = self._catalog.live(namespace)
        return _know(clock.position, [head_of_row(row) for row in rows])


def _know(position: Position, heads: Sequence[Head]) -> _Known:
    graph = DagGraph({head.key.dag_id: head.dependencies for head in heads})
    return _Known(position, graph, {head.key.dag_id: head for head in heads})


def _impacted(known: _Known, dag_id: str, max_depth: int | None) -> list[pb.ImpactedDag]:
    told: list[pb.ImpactedDag] = []
    edges = 0
    for reached in known.graph.impact(dag_id, max_depth):
        edges += len(reached.path)
        if edges > MAX_EDGES:
            raise TooLarge("max_depth", "edges", size=edges, limit=MAX_EDGES)
        told.append(
            pb.ImpactedDag(
                summary=res.DagSummary.FromString(known.heads[reached.dag_id].summary),
                depth=reached.depth,
                path=[answers.dependency(one) for one in reached.path],
            )
        )
    return told
