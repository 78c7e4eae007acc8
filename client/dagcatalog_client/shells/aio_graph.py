"""The asyncio calls about what lies between DAGs."""

from dagcatalog_client.calls import graph
from dagcatalog_client.model import Dependency, ImpactedDag
from dagcatalog_client.shells.aio_base import AioShell


class AioGraph(AioShell):
    """Dependencies, impact."""

    async def dependencies(
        self,
        dag_id: str | None = None,
        *,
        namespace: str | None = None,
        timeout_s: float | None = None,
    ) -> tuple[Dependency, ...]:
        """Read the edges between the DAGs of a namespace: triggers, sensors, assets.

        With `dag_id`, those between it and its neighbours. A way over an asset has two edges: one to
        "asset", one from it, both with the asset's `dependency_id`.

        Raises:
            DagNotFound: no such DAG, and no edge that names it.
            TooLarge: more than 100,000 edges.

        Example:
            ```python
            for edge in await client.dependencies("etl"):
                print(edge.source, edge.target, edge.dependency_type, edge.label)
            ```

        """
        call = graph.dependencies(self._caller, dag_id, namespace=namespace, timeout_s=timeout_s)
        return await self._unary(self._stub.Dependencies, call)

    async def impact(
        self,
        dag_id: str,
        *,
        max_depth: int | None = None,
        namespace: str | None = None,
        timeout_s: float | None = None,
    ) -> tuple[ImpactedDag, ...]:
        """Read which live DAGs a change of one reaches, the nearest first.

        Follows triggers, sensors and assets from DAG to DAG, `max_depth` (to 100) steps or all of
        them. Each comes with one of the shortest ways to it.

        Raises:
            DagNotFound: no such DAG, or it is deleted.
            TooLarge: the ways have more than 100,000 edges: give a `max_depth`.

        Example:
            ```python
            for reached in await client.impact("etl", max_depth=2):
                print(reached.depth, reached.summary.dag_id)
            ```

        """
        call = graph.impact(
            self._caller, dag_id, max_depth=max_depth, namespace=namespace, timeout_s=timeout_s
        )
        return await self._unary(self._stub.Impact, call)
