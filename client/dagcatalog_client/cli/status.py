"""`dagctl status`: where the catalog stands."""

import click

from dagcatalog_client.cli.context import Context, Output, pass_context
from dagcatalog_client.cli.plain import emit
from dagcatalog_client.cli.tables import Column, print_block, print_table, size_text, time_text
from dagcatalog_client.model import ConsumerStatus, NamespaceStatus, Status

NAMESPACE_COLUMNS = (
    Column("NAMESPACE", key=True),
    Column("DAGS", number=True),
    Column("DELETED", number=True),
    Column("VERSIONS", number=True),
    Column("PARSE ERRORS", number=True),
)
CONSUMER_COLUMNS = (
    Column("CONSUMER", key=True),
    Column("NAMESPACE", key=True),
    Column("ACKNOWLEDGED", number=True),
    Column("LAST HEARD OF", fixed=True),
)


@click.command("status")
@pass_context
def status(context: Context) -> None:
    """Show the catalog's position, counts, sizes and consumers."""
    with context.client() as client:
        now = client.status()
    match context.output:
        case Output.TABLE:
            _tables(context, now)
        case Output.NAME:
            click.echo(f"{now.position.epoch}/{now.position.revision}")
        case _:
            emit(now, context.output)


def _tables(context: Context, now: Status) -> None:
    print_block(context.console, _block(context, now))
    if now.namespaces:
        context.console.print()
        print_table(context.console, NAMESPACE_COLUMNS, map(_namespace, now.namespaces))
    if now.consumers:
        context.console.print()
        print_table(context.console, CONSUMER_COLUMNS, map(consumer_row, now.consumers))


def _block(context: Context, now: Status) -> list[tuple[str, str]]:
    schema = f", schema {now.schema_revision}" if now.schema_revision else ""
    sizes = f"{size_text(now.stored_bytes)} stored for {size_text(now.raw_bytes)}"
    return [
        ("Catalog", context.address),
        ("Server", f"{now.server_version}, replica {now.replica or 'unnamed'}"),
        ("Started", time_text(now.start_time)),
        ("Store", f"{now.store}{schema}"),
        ("Epoch", now.position.epoch),
        (
            "Revision",
            f"{now.position.revision} (watches resume after {now.compacted_revision} or later)",
        ),
        ("Blobs", f"{now.blob_count}: {sizes}"),
        ("Watches", f"{now.watch_count}, {now.replica_lag} revisions behind"),
    ]


def _namespace(counts: NamespaceStatus) -> tuple[str, ...]:
    return (
        counts.namespace,
        str(counts.dag_count),
        str(counts.deleted_count),
        str(counts.version_count),
        str(counts.parse_error_count),
    )


def consumer_row(consumer: ConsumerStatus) -> tuple[str, ...]:
    """Return the cells of a consumer, for CONSUMER_COLUMNS."""
    return (
        consumer.consumer_id,
        consumer.namespace,
        str(consumer.acknowledged.revision),
        time_text(consumer.last_time),
    )
