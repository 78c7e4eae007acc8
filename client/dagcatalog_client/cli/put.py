"""`dagctl put`: store one document."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import click

from dagcatalog_client.cli.context import Context, Output, pass_context
from dagcatalog_client.cli.differences import print_difference
from dagcatalog_client.cli.plain import emit
from dagcatalog_client.model import Precondition, Provenance, PutResult


@click.command("put")
@click.argument("file", type=click.File("rb"))
@click.option("--dag-id", help="Default: what the document says.")
@click.option(
    "--source",
    "source_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The DAG file's text, for code views.",
)
@click.option("--bundle", default="", help="Name of the bundle it comes from.")
@click.option(
    "--file",
    "bundle_file",
    default="",
    metavar="PATH",
    help="The DAG file, as a path inside the bundle. Default: what the document says.",
)
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="May be repeated.")
@click.option(
    "--expect-version",
    type=click.IntRange(min=0),
    help="Write only if this is the head's version; 0: only if there is no such DAG.",
)
@click.option("--dry-run", is_flag=True, help="Write nothing; show what would change.")
@pass_context
def put(
    context: Context,
    *,
    file: BinaryIO,
    dag_id: str | None,
    source_file: Path | None,
    bundle: str,
    bundle_file: str,
    labels: Sequence[str],
    expect_version: int | None,
    dry_run: bool,
) -> None:
    """Store the serialized DAG in FILE (JSON; - is standard input).

    The same definition put again is UNCHANGED: nothing is written.
    """
    document = file.read()
    with context.client() as client:
        result = client.put(
            dag_id or _dag_id_in(document),
            document,
            source=None if source_file is None else _text(source_file),
            provenance=_provenance(bundle, bundle_file),
            labels=_pairs(labels),
            precondition=None if expect_version is None else Precondition(expect_version),
            validate_only=dry_run,
        )
    _show(context, result, dry_run=dry_run)


def _show(context: Context, result: PutResult, *, dry_run: bool) -> None:
    match context.output:
        case Output.TABLE:
            done = "would be " if dry_run else ""
            outcome = result.outcome.name.lower().replace("_", " ")
            at = "" if dry_run else f" (revision {result.position.revision})"
            click.echo(
                f"{result.summary.dag_id}: {done}{outcome}, version {result.summary.version}{at}"
            )
            if result.difference is not None:
                print_difference(context.console, result.difference)
        case Output.NAME:
            click.echo(result.summary.dag_id)
        case _:
            emit(result, context.output)


def _dag_id_in(document: bytes) -> str:
    try:
        dag_id = json.loads(document)["dag"]["dag_id"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise click.UsageError(
            "the document is not a serialized DAG (JSON with dag.dag_id); name it with --dag-id"
        ) from error
    return str(dag_id)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{path} is not UTF-8 text") from error


def _provenance(bundle: str, file: str) -> Provenance | None:
    return Provenance(bundle_name=bundle, file=file) if bundle or file else None


def _pairs(labels: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for label in labels:
        key, equals, value = label.partition("=")
        if not equals:
            raise click.BadParameter(f"{label!r} is not KEY=VALUE", param_hint="--label")
        pairs[key] = value
    return pairs
