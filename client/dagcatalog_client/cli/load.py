"""`dagctl load`: a folder of DAG files into the catalog."""

import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dagcatalog_client.cli import exits
from dagcatalog_client.cli.context import Context, Output, pass_context
from dagcatalog_client.cli.plain import emit
from dagcatalog_client.cli.tables import cell
from dagcatalog_client.load import files, loader
from dagcatalog_client.load.report import FileReport, LoadReport
from dagcatalog_client.parse.model import DEFAULT_LIMITS, Limits
from dagcatalog_client.parse.parser import Parser, ParserError

DEFAULT_BUNDLE = "dags-folder"  # Airflow's own name for the folder of [core] dags_folder
PLAIN_INTERVAL_S = 5.0
UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}

Done = Callable[[FileReport], None]


def _bytes(_ctx: click.Context, _param: click.Parameter, text: str) -> int:
    """Read 1073741824, 512M or 2GiB."""
    match = re.fullmatch(r"(\d+)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if not match:
        raise click.BadParameter(f"{text!r} is no size: write 512M or 2G")
    return int(match[1]) * UNITS[match[2].upper()]


@click.command("load")
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH...",
)
@click.option(
    "--bundle", default=DEFAULT_BUNDLE, show_default=True, help="Bundle that the files belong to."
)
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path, resolve_path=False),
    help="Folder of the bundle, if PATH is only a part of it.",
)
@click.option("--prune", is_flag=True, help="Delete the DAGs of files that are gone.")
@click.option("--python", default=sys.executable, help="Interpreter that has Airflow.")
@click.option(
    "--jobs", type=click.IntRange(min=1, max=256), help="Files at a time; default: one a core."
)
@click.option(
    "--file-timeout",
    type=click.FloatRange(min=0, min_open=True, max=86_400),
    default=DEFAULT_LIMITS.timeout_s,
    show_default=True,
    metavar="SECONDS",
    help="How long a file may take.",
)
@click.option(
    "--file-memory",
    callback=_bytes,
    default=f"{DEFAULT_LIMITS.memory_bytes >> 30}GiB",
    show_default=True,
    metavar="SIZE",
    help="Memory that a file may take beyond Airflow's own.",
)
@pass_context
def load(
    context: Context,
    /,
    *,
    paths: Sequence[Path],
    bundle: str,
    root: Path | None,
    prune: bool,
    python: str,
    jobs: int | None,
    file_timeout: float,
    file_memory: int,
) -> int:
    """Load folders of DAG files, single .py and .zip files, or serialized DAGs (.json).

    Airflow parses each file in a process of its own; a file that fails, hangs or dies becomes a
    parse error in the catalog (`dagctl errors`), and the others go on. A file is replaced as a
    whole: a DAG that it no longer defines is deleted.

    Exit code 0 if every file parsed and was taken, else 1.
    """
    limits = Limits(file_timeout, file_memory)
    try:
        with ExitStack() as stack:
            parser = None
            if files.needs_airflow(paths):
                with context.notes.status("importing Airflow"):
                    parser = stack.enter_context(Parser(python=python, jobs=jobs))
            selection = files.select(paths, _absolute(root), parser.find if parser else None)
            client = stack.enter_context(context.client())
            done = stack.enter_context(_progress(context.notes, len(selection.files)))
            report = loader.run(
                client,
                parser,
                selection,
                bundle_name=bundle,
                limits=limits,
                prune=prune,
                done=done,
            )
    except (ParserError, files.NothingToLoad) as error:
        raise click.ClickException(str(error)) from error
    _show(context, report)
    return exits.FAILED if report.failed else exits.OK


def _absolute(root: Path | None) -> Path | None:
    return None if root is None else root.absolute()


@contextmanager
def _progress(console: Console, total: int) -> Iterator[Done]:
    """Show how far the load is: a bar on a terminal, else a line now and then."""
    if not console.is_terminal:
        yield _plain_progress(console, total)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("loading", total=total)
        yield lambda report: bar.update(task, advance=1, description=_short(report.file))


def _plain_progress(console: Console, total: int) -> Done:
    count, last = 0, time.monotonic()

    def done(report: FileReport) -> None:
        nonlocal count, last
        count += 1
        if time.monotonic() - last >= PLAIN_INTERVAL_S:
            last = time.monotonic()
            console.print(f"{count} of {total} files: {report.file}", markup=False)

    return done


def _short(file: str) -> str:
    # Square brackets are rich's markup; a file name may have them.
    name = file if len(file) <= 40 else "…" + file[-39:]
    return name.replace("[", "\\[")


def _show(context: Context, report: LoadReport) -> None:
    match context.output:
        case Output.TABLE:
            _summary(context.console, report)
        case Output.NAME:
            for file in report.files:
                for dag in file.dags:
                    click.echo(dag.dag_id)
        case _:
            emit(report.as_json(), context.output)


def _summary(console: Console, report: LoadReport) -> None:
    _print(
        console,
        f"{report.bundle_name}: {report.dag_count} DAGs in {len(report.files)} files, "
        f"{report.seconds:.1f} s; the catalog is at revision {report.revision}",
    )
    _print(console, "  " + ", ".join(f"{name} {count}" for name, count in report.counts.items()))
    for file in report.failed:
        if file.failure:
            line = f":{file.failure.line}" if file.failure.line else ""
            what = f"{file.file}{line}: {file.failure.message}"
            _print(console, f"  {file.failure.kind.value:<9} {what}")
    for name, dag_ids in report.vanished.items():
        fate = "deleted" if report.pruned else "still in the catalog; --prune deletes"
        _print(console, f"  GONE      {name}: {fate} {', '.join(dag_ids)}")


def _print(console: Console, text: str) -> None:
    console.print(cell(text), soft_wrap=True)
