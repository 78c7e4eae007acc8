"""`dagctl list`: summaries that a filter keeps."""

from collections.abc import Sequence
from itertools import islice
from typing import Unpack

import click

from dagcatalog_client.cli.context import Context, Output, pass_context
from dagcatalog_client.cli.filters import Conditions, dag_filter, filter_options
from dagcatalog_client.cli.following import follow, watch_option
from dagcatalog_client.cli.plain import emit
from dagcatalog_client.cli.suggesting import unknown_namespace
from dagcatalog_client.cli.tables import Column, print_table, schedule_text, time_text
from dagcatalog_client.client import Client
from dagcatalog_client.errors import CatalogError
from dagcatalog_client.model import DagSummary

MAX_PAGE_SIZE = 1_000
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


@click.command("list")
@filter_options
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
    wanted, page_size = dag_filter(conditions), min(limit or MAX_PAGE_SIZE, MAX_PAGE_SIZE)

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
