"""`dagctl rollback`: an old version comes back as a new one."""

import click

from dagcatalog_client.cli.completing import dag_id_argument
from dagcatalog_client.cli.context import Context, Output, pass_context
from dagcatalog_client.cli.plain import emit
from dagcatalog_client.model import PutOutcome, PutResult


@click.command("rollback")
@dag_id_argument
@click.argument("version", type=click.IntRange(min=1))
@click.option("--reason", default="", help="Kept as the label rollback-reason.")
@pass_context
def rollback(context: Context, *, dag_id: str, version: int, reason: str) -> None:
    """Put VERSION of a DAG back as a new version; a deleted DAG comes back.

    `dagctl history` lists the versions, `dagctl diff` compares them.
    """
    with context.client() as client:
        result = client.rollback(dag_id, version, reason=reason)
    match context.output:
        case Output.TABLE:
            click.echo(_sentence(result, version))
        case Output.NAME:
            click.echo(result.summary.dag_id)
        case _:
            emit(result, context.output)


def _sentence(result: PutResult, version: int) -> str:
    now, revision = result.summary, result.position.revision
    if result.outcome is PutOutcome.UNCHANGED:
        return f"{now.dag_id}: version {now.version} is defined as version {version} was"
    return f"{now.dag_id}: version {version} is back as version {now.version} (revision {revision})"
