"""The blocking calls that answer pages or a stream."""

from collections.abc import Iterator, Sequence

from dagcatalog_client.calls import listings
from dagcatalog_client.model import (
    ChangeClass,
    Consistency,
    DagFilter,
    DagPage,
    DagProfile,
    DagSummary,
    DagVersion,
    DagView,
    ParseError,
    Position,
)
from dagcatalog_client.shells.sync_base import SyncShell
from dagcatalog_client.shells.sync_watch import Watch


class SyncListings(SyncShell):
    """Lists, history, parse errors, watch."""

    def list(
        self,
        dag_filter: DagFilter | None = None,
        *,
        order_by: str = "dag_id",
        at: Position | int | None = None,
        page_size: int = 500,
        consistency: Consistency = Consistency.LINEARIZABLE,
        namespace: str | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[DagSummary]:
        """Iterate over the summaries of all DAGs that the filter keeps, all of one revision.

        Pages of `page_size` (to 1,000) are fetched as the iteration reaches them, each within
        `timeout_s`. `order_by` is dag_id or revision, with ` desc` for the other direction.
        `namespace` "-" lists every namespace.

        Raises:
            RevisionCompacted: the listing took so long that its revision was pruned meanwhile.

        Example:
            ```python
            for summary in client.list(DagFilter(tags_any=("finance",))):
                print(summary.dag_id, summary.version)
            ```

        """
        call = listings.list_dags(
            self._caller,
            dag_filter,
            order_by=order_by,
            at=at,
            page_size=page_size,
            consistency=consistency,
            namespace=namespace,
            timeout_s=timeout_s,
        )
        return self._pages(self._stub.List, call)

    def list_page(
        self,
        dag_filter: DagFilter | None = None,
        *,
        order_by: str = "dag_id",
        at: Position | int | None = None,
        page_size: int = 100,
        page_token: str = "",
        consistency: Consistency = Consistency.LINEARIZABLE,
        namespace: str | None = None,
        timeout_s: float | None = None,
    ) -> DagPage:
        """Read one page of summaries, with the total and the token of the next page.

        All else must stay the same from page to page, but for `page_size` (to 1,000).

        Example:
            ```python
            page = client.list_page(page_size=20)
            print(page.total_size, page.position.revision, page.next_page_token)
            ```

        """
        call = listings.list_page(
            self._caller,
            dag_filter,
            order_by=order_by,
            at=at,
            page_size=page_size,
            page_token=page_token,
            consistency=consistency,
            namespace=namespace,
            timeout_s=timeout_s,
        )
        return self._unary(self._stub.List, call)

    def list_versions(
        self,
        dag_id: str,
        *,
        page_size: int = 100,
        namespace: str | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[DagVersion]:
        """Iterate over a DAG's versions, newest first; a deleted DAG has a history too.

        Raises:
            DagNotFound: there never was such a DAG.

        Example:
            ```python
            for version in client.list_versions("etl"):
                print(version.version, version.create_time, version.head)
            ```

        """
        call = listings.list_versions(
            self._caller,
            dag_id,
            page_size=page_size,
            namespace=namespace,
            timeout_s=timeout_s,
        )
        return self._pages(self._stub.ListVersions, call)

    def list_parse_errors(
        self,
        *,
        bundle_name: str = "",
        page_size: int = 100,
        namespace: str | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[ParseError]:
        """Iterate over parse errors by namespace, bundle and file; no bundle_name means all.

        Example:
            ```python
            for broken in client.list_parse_errors(namespace="-"):
                print(broken.file, broken.line, broken.message)
            ```

        """
        call = listings.list_parse_errors(
            self._caller,
            bundle_name=bundle_name,
            page_size=page_size,
            namespace=namespace,
            timeout_s=timeout_s,
        )
        return self._pages(self._stub.ListParseErrors, call)

    def watch(
        self,
        *,
        namespaces: Sequence[str] | None = None,
        dag_id_prefix: str = "",
        classes: Sequence[ChangeClass] = (),
        view: DagView = DagView.SUMMARY,
        profile: DagProfile = DagProfile.FULL,
        after: Position | int | None = None,
        initial_state: bool = False,
        bookmark_interval_s: float | None = None,
        conflate: bool = False,
        consumer_id: str = "",
        timeout_s: float | None = None,
    ) -> Watch:
        """Watch changes: in order, each once, without gaps, one revision in one event.

        It begins `after` a position, or with the present (`initial_state`: pages, then a bookmark
        that is `synced`), or else with the next change. No `namespaces`: the client's own; "-":
        every one. An idle watch gets a bookmark each `bookmark_interval_s` (1 to 600; 15 if left
        out). A reader that falls behind is ended with `WatcherTooSlow`, or with `conflate` gets
        the latest change of each DAG only. It has no deadline unless `timeout_s` is given.

        "The next change" is the server's, once the request has reached it: this call returns
        earlier, and a change made in between is missed. Where that matters, name the place to begin:
        `after=client.status().position`, or the position of a read or write, sees every later change.

        Raises:
            OutOfRange: while iterating: `after` is pruned, or of another epoch: list again.
            Unavailable: while iterating: the connection broke; watch again after `position`.

        Example:
            ```python
            with client.watch(initial_state=True) as watch:
                for event in watch:
                    if isinstance(event, Bookmark) and event.synced:
                        break
            ```

        """
        call = listings.watch(
            self._caller,
            namespaces=namespaces,
            dag_id_prefix=dag_id_prefix,
            classes=classes,
            view=view,
            profile=profile,
            after=after,
            initial_state=initial_state,
            bookmark_interval_s=bookmark_interval_s,
            conflate=conflate,
            consumer_id=consumer_id,
            timeout_s=timeout_s,
        )
        responses = self._stub.Watch(call.request, timeout=call.timeout_s)
        return Watch(responses, call, self.address)
