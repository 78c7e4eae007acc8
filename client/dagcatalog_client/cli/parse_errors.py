"""`dagctl errors`: files that gave no DAG."""

import click

from dagcatalog_client.cli.context import Context, Output, pass_context
from dagcatalog_client.cli.plain import emit
from dagcatalog_client.cli.tables import Column, print_table, time_text
from dagcatalog_client.model import ParseError

COLUMNS = (
    Column("FILE", key=True),
    Column("LINE", number=True),
    Column("KIND", fixed=True),
    Column("LAST", fixed=True, wide_only=True),
    Column("MESSAGE", key=True),
)


@click.command("errors")
@click.option("--bundle", default="", help="Only this bundle.")
@click.option("--traces", is_flag=True, help="Tracebacks too.")
@pass_context
def parse_errors(context: Context, *, bundle: str, traces: bool) -> None:
    """List parse errors by file."""
    with context.client() as client:
        found = list(client.list_parse_errors(bundle_name=bundle))
    match context.output:
        case Output.TABLE if found:
            print_table(context.console, COLUMNS, (_row(error) for error in found))
            if traces:
                _print_traces(found)
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


def _print_traces(found: list[ParseError]) -> None:
    for error in found:
        if error.stack_trace:
            click.echo(f"\n{error.file}:\n{error.stack_trace.rstrip()}")
