"""`dagctl errors`: files that gave no DAG."""

import click
from rich.text import Text

from dagcatalog_client.cli.context import Context, Output, pass_context
from dagcatalog_client.cli.following import follow, watch_option
from dagcatalog_client.cli.plain import emit
from dagcatalog_client.cli.tables import Column, cell, print_table, time_text
from dagcatalog_client.client import Client
from dagcatalog_client.model import ParseError

COLUMNS = (
    Column("FILE", key=True),
    Column("LINE", number=True),
    Column("KIND", fixed=True),
    Column("LAST", fixed=True, wide_only=True),
    Column("MESSAGE", key=True),
)


LOOK_INTERVAL_S = 2.0
"""Parse errors are no changes of a DAG: no watch tells of them."""


@click.command("errors")
@click.option("--bundle", default="", help="Only this bundle.")
@click.option("--traces", is_flag=True, help="Tracebacks too.")
@watch_option
@pass_context
def parse_errors(context: Context, *, bundle: str, traces: bool, following: bool) -> None:
    """List parse errors by file."""

    def read(client: Client) -> list[ParseError]:
        return list(client.list_parse_errors(bundle_name=bundle))

    def show(shown: Context, found: list[ParseError]) -> None:
        _show(shown, found, traces=traces)

    if following:
        follow(context, read, show, every_s=LOOK_INTERVAL_S)
        return
    with context.client() as client:
        show(context, read(client))


def _show(context: Context, found: list[ParseError], *, traces: bool) -> None:
    match context.output:
        case Output.TABLE if found:
            print_table(context.console, COLUMNS, (_row(error) for error in found))
            if traces:
                _print_traces(context, found)
        case Output.TABLE:
            context.notes.print("no parse errors")
        case Output.NAME:
            for error in found:
                click.echo(error.file)
        case _:
            emit(found, context.output)


def _row(error: ParseError) -> tuple[str, ...]:
    bundle = f"{error.bundle_name}:" if error.bundle_name else ""
    return (
        f"{bundle}{error.file}",
        str(error.line or ""),
        error.kind.name.lower(),
        time_text(error.last_time),
        error.message,
    )


def _print_traces(context: Context, found: list[ParseError]) -> None:
    for error in found:
        if error.stack_trace:
            lines = f"\n{error.file}:\n{error.stack_trace.rstrip()}".split("\n")
            context.console.print(Text("\n").join(map(cell, lines)), soft_wrap=True)
