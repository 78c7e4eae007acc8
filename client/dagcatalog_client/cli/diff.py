"""`dagctl diff`: how two versions of a DAG differ."""

import click

from dagcatalog_client.cli.completing import dag_id_argument
from dagcatalog_client.cli.context import Context, Output, pass_context
from dagcatalog_client.cli.differences import print_difference
from dagcatalog_client.cli.plain import emit
from dagcatalog_client.errors import InvalidArgument
from dagcatalog_client.model import Diff

VERSION = click.IntRange(min=1)


@click.command("diff")
@dag_id_argument
@click.argument("from_version", metavar="[FROM]", required=False, type=VERSION)
@click.argument("to_version", metavar="[TO]", required=False, type=VERSION)
@click.option("--json-values", is_flag=True, help="Also every value that differs, by its path.")
@pass_context
def diff(
    context: Context,
    *,
    dag_id: str,
    from_version: int | None,
    to_version: int | None,
    json_values: bool,
) -> None:
    """Compare version FROM of a DAG with version TO: + added, - removed, ~ changed.

    TO is the current version if left out, FROM the one before TO. With -o name, the DAG is named
    only if something differs. `dagctl history` lists the versions.
    """
    found = _read(context, dag_id, from_version, to_version)
    match context.output:
        case Output.TABLE:
            _show(context, found, json_values=json_values)
        case Output.NAME:
            if not found.difference.empty:
                click.echo(dag_id)
        case _:
            emit(found, context.output)


def _read(context: Context, dag_id: str, older: int | None, newer: int | None) -> Diff:
    with context.client() as client:
        try:
            return client.diff(dag_id, from_version=older, to_version=newer)
        except InvalidArgument as error:
            if error.field_path != "from_version" or older is not None:
                raise
            raise click.ClickException(
                f"DAG {dag_id!r} is at its first version: there is none before it to compare with"
            ) from error


def _show(context: Context, found: Diff, *, json_values: bool) -> None:
    older, newer = found.older, found.newer
    click.echo(f"{newer.dag_id}: version {older.version} -> {newer.version}")
    print_difference(context.console, found.difference, json_values=json_values)
