"""`dagctl import`: DAGs out of a tar file."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import click

from dagcatalog_client.archive import importing
from dagcatalog_client.archive.importing import KEPT_PROBLEMS, ImportReport, Wishes
from dagcatalog_client.archive.model import ArchiveError
from dagcatalog_client.cli import exits
from dagcatalog_client.cli.context import Context, Output, pass_context
from dagcatalog_client.cli.plain import emit
from dagcatalog_client.cli.progress import counting
from dagcatalog_client.cli.tables import cell


@click.command("import")
@click.argument("file", metavar="FILE")
@click.option("--into", metavar="NAMESPACE", help="Put all into it; default: each into its own.")
@click.option("--skip-existing", is_flag=True, help="Leave DAGs alone that are there.")
@click.option("--heads", "heads_only", is_flag=True, help="Only the newest version of each DAG.")
@click.option("--check", "check_only", is_flag=True, help="Check the file, write nothing.")
@pass_context
def import_(
    context: Context,
    *,
    file: str,
    into: str | None,
    skip_existing: bool,
    heads_only: bool,
    check_only: bool,
) -> int:
    """Put the DAGs of FILE (- is standard input), which `dagctl export` wrote.

    What is there already is not sent again: the same command goes on where it was interrupted. Every
    content is checked against its hash. Whole histories keep their version numbers in an empty
    catalog; a DAG whose history goes another way there is refused, and the others go on. Who wrote
    and when is the import.

    Exit code 0 if the file was whole and everything was taken, else 1.
    """
    wishes = Wishes(into, skip_existing, heads_only, check_only)
    with ExitStack() as stack:
        opened = _open(file, stack)
        client = stack.enter_context(context.client())
        step = stack.enter_context(counting(context.notes, "importing", None, "entries"))
        try:
            report = importing.run(client, opened, wishes, lambda entry: step(entry.dag_id))
        except ArchiveError as error:
            raise click.ClickException(f"{_name(file)}: {error}") from error
        except OSError as error:
            raise click.ClickException(f"{file} cannot be read: {error.strerror}") from error
    _show(context, file, report, check_only=check_only)
    refused = report.counts["refused"]
    return exits.OK if report.complete and not refused else exits.FAILED


def _open(file: str, stack: ExitStack) -> BinaryIO:
    if file == "-":
        return sys.stdin.buffer
    try:
        return stack.enter_context(Path(file).open("rb"))
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}") from error


def _name(file: str) -> str:
    return "standard input" if file == "-" else file


def _show(context: Context, file: str, report: ImportReport, *, check_only: bool) -> None:
    match context.output:
        case Output.TABLE:
            _sentences(context, file, report, check_only=check_only)
        case Output.NAME:
            click.echo(_name(file))
        case _:
            told = {
                "complete": report.complete,
                "entry_count": report.entry_count,
                "counts": dict(report.counts),
                "problems": report.problems,
                "problem_count": report.problem_count,
                "revision": report.revision,
            }
            emit(told, context.output)


def _sentences(context: Context, file: str, report: ImportReport, *, check_only: bool) -> None:
    counted = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in report.counts.items())
    if check_only:
        counted = "every hash is right"
    _print(context, f"{_name(file)}: {report.entry_count} entries: {counted or 'nothing in it'}")
    for problem in report.problems:
        _print(context, f"  {problem}")
    if report.problem_count > KEPT_PROBLEMS:
        _print(context, f"  and {report.problem_count - KEPT_PROBLEMS} more")
    if not report.complete:
        _print(context, "the file ends there: it was cut; export it again, and import the rest")


def _print(context: Context, text: str) -> None:
    context.console.print(cell(text), soft_wrap=True)
