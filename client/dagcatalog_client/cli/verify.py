"""`dagctl verify`: check every stored content against its hash."""

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from dagcatalog_client.cli import exits
from dagcatalog_client.cli.context import Context, Output, pass_context
from dagcatalog_client.cli.plain import emit
from dagcatalog_client.cli.tables import Column, print_table
from dagcatalog_client.model import CorruptBlob

COLUMNS = (Column("CONTENT", key=True), Column("PROBLEM"), Column("DAGS", key=True))


@click.command("verify")
@pass_context
def verify(context: Context) -> int:
    """Read every stored content and check it against its hash; 1 if any is damaged.

    Writes go on meanwhile.
    """
    corrupt, checked = _check(context)
    match context.output:
        case Output.TABLE:
            if corrupt:
                rows = ((one.hash, one.message, ", ".join(one.dag_ids)) for one in corrupt)
                print_table(context.console, COLUMNS, rows)
            click.echo(f"{checked} contents checked, {len(corrupt)} damaged or missing")
        case Output.NAME:
            for one in corrupt:
                click.echo(one.hash)
        case _:
            emit({"checked_count": checked, "corrupt": corrupt}, context.output)
    return exits.FAILED if corrupt else exits.OK


def _check(context: Context) -> tuple[list[CorruptBlob], int]:
    corrupt: list[CorruptBlob] = []
    checked = 0
    with context.client() as client, _bar(context.notes) as bar:
        task = bar.add_task("checking", total=None)
        for progress in client.verify():
            corrupt += progress.corrupt
            checked = progress.checked_count
            bar.update(task, completed=checked, total=progress.total_count)
    return corrupt, checked


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
