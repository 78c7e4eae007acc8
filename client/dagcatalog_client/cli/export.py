"""`dagctl export`: DAGs into a tar file."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Unpack

import click

from dagcatalog_client.archive import exporting
from dagcatalog_client.archive.exporting import Gone, Resumed
from dagcatalog_client.archive.model import ArchiveError, Entry, Manifest
from dagcatalog_client.cli.context import Context, Output, pass_context
from dagcatalog_client.cli.filters import Conditions, dag_filter, filter_options
from dagcatalog_client.cli.plain import emit
from dagcatalog_client.cli.progress import counting
from dagcatalog_client.client import Client
from dagcatalog_client.errors import OutOfRange
from dagcatalog_client.model import DagFilter

Done = Callable[[Entry], None]


@click.command("export")
@click.argument("archive", metavar="FILE")
@click.option(
    "--versions",
    type=click.Choice(["heads", "all"]),
    default="heads",
    show_default=True,
    help="The current version of each DAG, or its whole history.",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there.")
@filter_options
@pass_context
def export(
    context: Context,
    /,
    *,
    archive: str,
    versions: str,
    overwrite: bool,
    **conditions: Unpack[Conditions],
) -> None:
    """Write DAGs with their sources and labels into the tar FILE (- is standard output).

    All of them are as they were at one revision, whatever is written meanwhile; -n - exports every
    namespace. FILE appears when it is whole: until then it is FILE.partial, and the same command
    goes on where it was interrupted. `dagctl import` reads it, and so does tar.
    """
    wanted = dag_filter(conditions)
    with context.client() as client:
        asked, total = exporting.manifest_of(client, wanted, all_versions=versions == "all")
        with counting(context.notes, "exporting", total, "DAGs") as step:

            def done(entry: Entry) -> None:
                if entry.head:
                    step(entry.dag_id)

            if archive == "-":
                _to_stdout(client, wanted, asked, done)
                return
            path = Path(archive)
            if path.exists() and not overwrite:
                raise click.ClickException(f"{path} is there already; --overwrite replaces it")
            writer = _Writer(context, client, wanted, path.with_name(f"{path.name}.partial"), done)
            manifest, count = writer.write(asked)
            writer.partial.replace(path)
    _show(context, path, manifest, count)


def _to_stdout(client: Client, wanted: DagFilter, manifest: Manifest, done: Done) -> None:
    if sys.stdout.isatty():
        raise click.UsageError("a tar is nothing for a terminal: send it to a file or a pipe")
    try:
        exporting.run(client, sys.stdout.buffer, wanted, manifest, done=done)
    except ArchiveError as error:
        raise click.ClickException(str(error)) from error


class _Writer:
    """Writes FILE.partial, on top of what an interrupted export left."""

    def __init__(
        self, context: Context, client: Client, wanted: DagFilter, partial: Path, done: Done
    ) -> None:
        self._context = context
        self._client = client
        self._wanted = wanted
        self.partial = partial
        self._done = done

    def write(self, asked: Manifest) -> tuple[Manifest, int]:
        """Write it to its end; return what it is of, and how many entries it has."""
        try:
            with self._open() as file:
                if (resumed := self._resumed(file, asked)) is not None:
                    with suppress(OutOfRange, Gone):
                        return resumed.manifest, self._run(file, resumed.manifest, resumed)
                    self._say("what was interrupted has been pruned meanwhile: beginning anew")
                return asked, self._run(file, asked, None)
        except ArchiveError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            said = f"{self.partial} cannot be written: {error.strerror}; run it again to go on"
            raise click.ClickException(said) from error

    def _open(self) -> BinaryIO:
        # Opening to append makes the file or keeps what it has; then every place can be written.
        self.partial.open("ab").close()
        return self.partial.open("r+b")

    def _resumed(self, file: BinaryIO, asked: Manifest) -> Resumed | None:
        resumed = exporting.resume(file)
        if resumed is None:
            return None
        if not resumed.manifest.asks_the_same(asked):
            self._say(f"{self.partial} is of another export: beginning anew")
            return None
        self._say(
            f"going on after {resumed.entry_count} entries, at revision {resumed.manifest.revision}"
        )
        return resumed

    def _run(self, file: BinaryIO, manifest: Manifest, resumed: Resumed | None) -> int:
        file.seek(resumed.offset if resumed else 0)
        file.truncate()
        count = exporting.run(
            self._client, file, self._wanted, manifest, resumed=resumed, done=self._done
        )
        file.flush()
        os.fsync(file.fileno())
        return count

    def _say(self, note: str) -> None:
        self._context.notes.print(note, markup=False, soft_wrap=True)


def _show(context: Context, path: Path, manifest: Manifest, count: int) -> None:
    match context.output:
        case Output.TABLE:
            what = "versions" if manifest.versions == "all" else "DAGs"
            click.echo(f"{path}: {count} {what} as of revision {manifest.revision}")
        case Output.NAME:
            click.echo(str(path))
        case _:
            told = {"file": str(path), "entry_count": count, "revision": manifest.revision}
            emit({**told, "epoch": manifest.epoch}, context.output)
