"""`dagctl delete` and `dagctl restore`: set a tombstone, take it away."""

import sys

import click

from dagcatalog_client.cli.completing import dag_id_argument
from dagcatalog_client.cli.context import Context, Output, pass_context
from dagcatalog_client.cli.plain import emit
from dagcatalog_client.model import WriteResult


@click.command("delete")
@dag_id_argument
@click.option("--reason", default="", help="Kept with the tombstone.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_context
def delete(context: Context, *, dag_id: str, reason: str, yes: bool) -> None:
    """Delete a DAG; its history stays, and `dagctl restore` brings it back."""
    question = f"Delete {dag_id} from namespace {context.namespace} of {context.address}?"
    if not yes and not _confirmed(question):
        raise click.ClickException("nothing was deleted")
    with context.client() as client:
        _show(context, client.delete(dag_id, reason=reason), "deleted")


@click.command("restore")
@dag_id_argument
@pass_context
def restore(context: Context, dag_id: str) -> None:
    """Bring a deleted DAG back at the version it had."""
    with context.client() as client:
        _show(context, client.restore(dag_id), "restored")


def _confirmed(question: str) -> bool:
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise click.UsageError("nobody is there to answer: add --yes") from None


def _show(context: Context, result: WriteResult, done: str) -> None:
    match context.output:
        case Output.TABLE:
            dag = result.summary
            revision = result.position.revision
            click.echo(f"{dag.dag_id}: {done}, version {dag.version} (revision {revision})")
        case Output.NAME:
            click.echo(result.summary.dag_id)
        case _:
            emit(result, context.output)
