"""`dagctl get`: read one DAG."""

import json
import sys

import click
from rich.console import Console
from rich.json import JSON
from rich.text import Text

from dagcatalog_client.cli.context import Context, Output, pass_context
from dagcatalog_client.cli.plain import emit
from dagcatalog_client.cli.tables import print_block, summary_block
from dagcatalog_client.model import Dag, DagProfile, DagView

HIGHLIGHT_LIMIT_BYTES = 256 * 1024
"""Colouring more than this takes seconds that nobody waits for."""

_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}
"""What JSON leaves unescaped and a terminal would obey."""


@click.command("get")
@click.argument("dag_id")
@click.option("--version", type=click.IntRange(min=1), help="This version, not the head.")
@click.option("--at", type=click.IntRange(min=1), metavar="REVISION", help="As it was then.")
@click.option("--source", "part", flag_value="source", help="The DAG file's text.")
@click.option("--summary", "part", flag_value="summary", help="No document.")
@click.option("--raw", "part", flag_value="raw", help="The document's exact bytes.")
@click.option(
    "--profile",
    type=click.Choice([one.name.lower() for one in DagProfile if one]),
    default=DagProfile.FULL.name.lower(),
    show_default=True,
    help="Which fields of the document: all, or what one kind of consumer needs.",
)
@pass_context
def get(
    context: Context,
    *,
    dag_id: str,
    version: int | None,
    at: int | None,
    part: str | None,
    profile: str,
) -> None:
    """Show a DAG: its summary, then its document."""
    if version is not None and at is not None:
        raise click.UsageError("give --version or --at, not both")
    view = {"source": DagView.SOURCE, "summary": DagView.SUMMARY}.get(part or "", DagView.DOCUMENT)
    with context.client() as client:
        dag = client.get(
            dag_id, version=version, at=at, view=view, profile=DagProfile[profile.upper()]
        )
    match part:
        case "raw":
            sys.stdout.buffer.write(dag.document)
        case "source":
            _show_source(dag)
        case _:
            _show(context, dag)


def _show_source(dag: Dag) -> None:
    if dag.source is None:
        raise click.ClickException(f"DAG {dag.summary.dag_id!r} was put without its source")
    click.echo(dag.source, nl=not dag.source.endswith("\n"))


def _show(context: Context, dag: Dag) -> None:
    match context.output:
        case Output.TABLE:
            print_block(context.console, summary_block(dag.summary))
            _print_document(context.console, dag)
        case Output.NAME:
            click.echo(dag.summary.dag_id)
        case _:
            document = {"document": dag.document} if dag.document else {}
            emit({"summary": dag.summary, **document}, context.output)


def _print_document(console: Console, dag: Dag) -> None:
    if not dag.document:
        return
    console.print()
    text = json.dumps(dag.json(), indent=2, ensure_ascii=False).translate(_CONTROLS)
    coloured = console.is_terminal and len(text) < HIGHLIGHT_LIMIT_BYTES
    console.print(JSON(text) if coloured else Text(text), soft_wrap=True)
