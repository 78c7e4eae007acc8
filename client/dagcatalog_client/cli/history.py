"""`dagctl history`: the versions of one DAG."""

from itertools import islice

import click

from dagcatalog_client.cli.completing import dag_id_argument
from dagcatalog_client.cli.context import Context, Output, pass_context
from dagcatalog_client.cli.following import follow, watch_option
from dagcatalog_client.cli.plain import emit
from dagcatalog_client.cli.tables import Column, print_table, size_text, time_text
from dagcatalog_client.client import Client
from dagcatalog_client.model import DagVersion

COLUMNS = (
    Column("VERSION", number=True),
    Column("REVISION", number=True, wide_only=True),
    Column("CREATED", fixed=True),
    Column("BY"),
    Column("TASKS", number=True),
    Column("SIZE", fixed=True),
    Column("BUNDLE VERSION"),
    Column("CONTENT", key=True),
)
HASH_DIGITS = 12


@click.command("history")
@dag_id_argument
@click.option("--limit", type=click.IntRange(min=1), help="Stop after so many.")
@watch_option
@pass_context
def history(context: Context, *, dag_id: str, limit: int | None, following: bool) -> None:
    """List a DAG's versions, newest first; * is the current one.

    A deleted DAG has a history too.
    """

    def read(client: Client) -> list[DagVersion]:
        return list(islice(client.list_versions(dag_id), limit))

    if following:
        follow(context, read, _show, prefix=dag_id)
        return
    with context.client() as client:
        _show(context, read(client))


def _show(context: Context, versions: list[DagVersion]) -> None:
    match context.output:
        case Output.TABLE:
            print_table(context.console, COLUMNS, (_row(version) for version in versions))
        case Output.NAME:
            for version in versions:
                click.echo(version.version)
        case _:
            emit(versions, context.output)


def _row(version: DagVersion) -> tuple[str, ...]:
    return (
        f"{version.version}{'*' if version.head else ' '}",
        str(version.revision),
        time_text(version.create_time),
        version.actor,
        str(version.summary.task_count),
        size_text(version.summary.document_bytes),
        version.summary.provenance.bundle_version,
        version.summary.content_hash[:HASH_DIGITS],
    )
