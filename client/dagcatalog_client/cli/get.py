"""`dagctl get`: read one DAG."""

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.json import JSON
from rich.text import Text

from dagcatalog_client.cli.completing import dag_id_argument
from dagcatalog_client.cli.context import Context, Output, pass_context
from dagcatalog_client.cli.plain import emit
from dagcatalog_client.cli.tables import print_block, size_text, summary_block
from dagcatalog_client.model import Dag, DagProfile, DagView

HIGHLIGHT_LIMIT_BYTES = 256 * 1024
"""Colouring more than this takes seconds that nobody waits for."""

_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}
"""What JSON leaves unescaped and a terminal would obey."""


@click.command("get")
@dag_id_argument
@click.option("--version", type=click.IntRange(min=1), help="This version, not the head.")
@click.option("--at", type=click.IntRange(min=1), metavar="REVISION", help="As it was then.")
@click.option("--content", metavar="HASH", help="The newest state that had this content.")
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
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the document's exact bytes there; with --source, the text.",
)
@pass_context
def get(
    context: Context,
    *,
    dag_id: str,
    version: int | None,
    at: int | None,
    content: str | None,
    part: str | None,
    profile: str,
    out: Path | None,
) -> None:
    """Show a DAG: its summary, then its document."""
    if sum(each is not None for each in (version, at, content)) > 1:
        raise click.UsageError("give one of --version, --at and --content")
    if out is not None and part == "summary":
        raise click.UsageError("--out writes a document or a source, no summary")
    view = {"source": DagView.SOURCE, "summary": DagView.SUMMARY}.get(part or "", DagView.DOCUMENT)
    with context.client() as client:
        dag = client.get(
            dag_id,
            version=version,
            at=at,
            content_hash=content,
            view=view,
            profile=DagProfile[profile.upper()],
        )
    if out is not None:
        _write(context, dag, out, _source_of(dag).encode() if part == "source" else dag.document)
        return
    match part:
        case "raw":
            sys.stdout.buffer.write(dag.document)
        case "source":
            _show_source(dag)
        case _:
            _show(context, dag)


def _show_source(dag: Dag) -> None:
    source = _source_of(dag)
    click.echo(source, nl=not source.endswith("\n"))


def _source_of(dag: Dag) -> str:
    if dag.source is None:
        raise click.ClickException(f"DAG {dag.summary.dag_id!r} was put without its source")
    return dag.source


def _write(context: Context, dag: Dag, out: Path, raw: bytes) -> None:
    """Write a file that is whole when it appears."""
    partial = out.with_name(f"{out.name}.partial")
    try:
        partial.write_bytes(raw)
        partial.replace(out)
    except OSError as error:
        raise click.ClickException(f"{out} cannot be written: {error.strerror}") from error
    summary = dag.summary
    said = f"{summary.dag_id}: version {summary.version}, {size_text(len(raw))} in {out}"
    context.notes.print(said, markup=False, soft_wrap=True)


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
