"""`dagctl list`: summaries that a filter keeps."""

from collections.abc import Sequence
from itertools import islice
from typing import TypedDict, Unpack

import click

from dagcatalog_client.cli.context import Context, Output, pass_context
from dagcatalog_client.cli.following import follow, watch_option
from dagcatalog_client.cli.plain import emit
from dagcatalog_client.cli.suggesting import unknown_namespace
from dagcatalog_client.cli.tables import Column, print_table, schedule_text, time_text
from dagcatalog_client.client import Client
from dagcatalog_client.errors import CatalogError
from dagcatalog_client.model import DagFilter, DagSummary, DeletedFilter, ScheduleKind

MAX_PAGE_SIZE = 1_000
KINDS = {
    kind.name.lower().replace("_", "-"): kind
    for kind in ScheduleKind
    if kind is not ScheduleKind.UNSPECIFIED
}
COLUMNS = (
    Column("DAG", key=True),
    Column("VERSION", number=True),
    Column("REVISION", number=True, wide_only=True),
    Column("SCHEDULE"),
    Column("TASKS", number=True),
    Column("OWNERS", wide_only=True),
    Column("TAGS"),
    Column("UPDATED", fixed=True),
)


class Conditions(TypedDict):
    """The options that say which DAGs."""

    prefix: str
    text: str
    tags: tuple[str, ...]
    all_tags: tuple[str, ...]
    owners: tuple[str, ...]
    bundle: str
    file: str
    operators: tuple[str, ...]
    schedules: tuple[str, ...]
    changed_after: int
    deleted: bool
    with_deleted: bool


@click.command("list")
@click.option("--prefix", default="", help="Start of the dag_id.")
@click.option("--text", default="", help="Found in dag_id, name or description.")
@click.option("--tag", "tags", multiple=True, help="Has one of these tags.")
@click.option("--all-tags", multiple=True, help="Has all of these tags.")
@click.option("--owner", "owners", multiple=True, help="Has one of these owners.")
@click.option("--bundle", default="", help="Name of its bundle.")
@click.option("--file", default="", help="Its file, as a path inside the bundle.")
@click.option("--operator", "operators", multiple=True, help="Uses one of these operators.")
@click.option(
    "--schedule",
    "schedules",
    multiple=True,
    type=click.Choice(list(KINDS)),
    help="Is scheduled so.",
)
@click.option(
    "--changed-after",
    type=click.IntRange(min=0),
    default=0,
    metavar="REVISION",
    help="Has changed since.",
)
@click.option("--deleted", is_flag=True, help="Deleted DAGs instead of live ones.")
@click.option("--with-deleted", is_flag=True, help="Deleted DAGs too.")
@click.option("--at", type=click.IntRange(min=1), metavar="REVISION", help="As it was then.")
@click.option(
    "--order-by",
    type=click.Choice(["dag_id", "dag_id desc", "revision", "revision desc"]),
    default="dag_id",
    show_default=True,
)
@click.option("--limit", type=click.IntRange(min=1), help="Stop after so many.")
@watch_option
@pass_context
def list_dags(
    context: Context,
    /,
    *,
    order_by: str,
    at: int | None,
    limit: int | None,
    following: bool,
    **conditions: Unpack[Conditions],
) -> None:
    """List DAGs. All conditions must hold; those that can be repeated are alternatives."""
    if at is not None and following:
        raise click.UsageError("the past does not change: give --at or --watch, not both")
    if conditions["deleted"] and conditions["with_deleted"]:
        raise click.UsageError("give --deleted or --with-deleted, not both")
    wanted, page_size = _filter(conditions), min(limit or MAX_PAGE_SIZE, MAX_PAGE_SIZE)

    def read(client: Client) -> list[DagSummary]:
        found = client.list(wanted, order_by=order_by, at=at, page_size=page_size)
        return list(islice(found, limit))

    if following:
        follow(context, read, _show, prefix=conditions["prefix"])
        return
    with context.client() as client:
        found = read(client)
        _show(context, found)
        if not found and context.output is Output.TABLE:
            _say_why(context, client)


def _filter(given: Conditions) -> DagFilter:
    return DagFilter(
        dag_id_prefix=given["prefix"],
        text=given["text"],
        tags_any=given["tags"],
        tags_all=given["all_tags"],
        owners=given["owners"],
        bundle_name=given["bundle"],
        file=given["file"],
        operators=given["operators"],
        schedule_kinds=tuple(KINDS[name] for name in given["schedules"]),
        changed_after_revision=given["changed_after"],
        deleted=_tombstones(given),
    )


def _tombstones(given: Conditions) -> DeletedFilter:
    if given["deleted"]:
        return DeletedFilter.ONLY
    return DeletedFilter.INCLUDE if given["with_deleted"] else DeletedFilter.EXCLUDE


def _show(context: Context, found: Sequence[DagSummary]) -> None:
    match context.output:
        case Output.TABLE:
            _table(context, found)
        case Output.NAME:
            for summary in found:
                click.echo(summary.dag_id)
        case _:
            emit(found, context.output)


def _say_why(context: Context, client: Client) -> None:
    """Tell a filter that keeps nothing from a namespace that holds nothing."""
    try:
        why = unknown_namespace(client, context.namespace)
    except CatalogError:
        why = ""
    why = why or f"no such DAG in namespace {context.namespace!r}"
    context.notes.print(why, markup=False, soft_wrap=True)


def _table(context: Context, found: Sequence[DagSummary]) -> None:
    if not found:
        return
    everywhere = context.namespace == "-"
    columns = (Column("NAMESPACE", key=True), *COLUMNS) if everywhere else COLUMNS
    rows = (((summary.namespace,) if everywhere else ()) + _row(summary) for summary in found)
    print_table(context.console, columns, rows)


def _row(summary: DagSummary) -> tuple[str, ...]:
    return (
        f"{summary.dag_id} (deleted)" if summary.deleted else summary.dag_id,
        str(summary.version),
        str(summary.revision),
        schedule_text(summary),
        str(summary.task_count),
        ", ".join(summary.owners),
        ", ".join(summary.tags),
        time_text(summary.update_time),
    )
