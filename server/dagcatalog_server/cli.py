"""`dagcatalog`: serve, migrate, backup, restore, check, config."""

import asyncio
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from sqlalchemy.exc import ArgumentError

from dagcatalog_server.app import (
    RunningServer,
    serve,
)
from dagcatalog_server.catalog.errors import CatalogError
from dagcatalog_server.catalog.ports import StoreFull, StoreUnavailable
from dagcatalog_server.config import Config, load_config
from dagcatalog_server.config_text import render_config
from dagcatalog_server.logs import configure_logs
from dagcatalog_server.opening import ConfigurationProblem, opened_store
from dagcatalog_server.store.backup import (
    BackupExists,
    DatabaseInUse,
    DatabaseNotEmpty,
    back_up,
    restore,
)
from dagcatalog_server.store.backup_file import BackupDamaged, Manifest
from dagcatalog_server.store.checking import check_database
from dagcatalog_server.store.postgres_engine import DatabaseUnfit
from dagcatalog_server.store.schema import SchemaMismatch, migrate

_PROBLEMS = (
    CatalogError,
    ConfigurationProblem,
    DatabaseUnfit,
    OSError,
    SchemaMismatch,
    StoreFull,
    StoreUnavailable,
    tomllib.TOMLDecodeError,
)

_DATABASE_PROBLEMS = (ArgumentError, BackupDamaged, BackupExists, DatabaseInUse, DatabaseNotEmpty)
_NOUNS = {"change": "changes", "blob": "contents", "request": "requests", "parse_error": "errors"}
MAX_FINDINGS = 1_000
"""Lines that `check` prints at most."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "file",
    envvar="DAGCATALOG_CONFIG",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML file; DAGCATALOG_* variables come before it, options before both.",
)
@click.version_option(package_name="dagcatalog")
@click.pass_context
def cli(context: click.Context, file: Path | None) -> None:
    """Run the catalog of serialized Airflow DAGs."""
    context.obj = file


@cli.command("serve")
@click.option("--listen", metavar="HOST:PORT", help="Address of the API; port 0: a free one.")
@click.option("--health-listen", metavar="HOST:PORT", help="Address of the health checks.")
@click.option("--database-url", metavar="URL", help="sqlite:///PATH, postgresql://… or memory://")
@click.option("--log-level", type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"]))
@click.option("--log-format", type=click.Choice(["text", "json"]))
@click.pass_obj
def serve_command(file: Path | None, /, **given: str | None) -> None:
    """Serve the catalog until SIGTERM or Ctrl-C.

    An SQLite file is made and migrated as needed; PostgreSQL wants `dagcatalog migrate` first.
    """
    config = _config(file, given)
    configure_logs(level=config.log_level, as_json=config.log_format == "json")
    try:
        with opened_store(config) as store:
            _run(serve(config, store, _say_ready))
    except _PROBLEMS as problem:
        raise click.ClickException(str(problem)) from problem


@cli.command("migrate")
@click.option(
    "--database-url", metavar="URL", help="The database to bring to this release's schema."
)
@click.pass_obj
def migrate_command(file: Path | None, database_url: str | None) -> None:
    """Bring the database to the schema that this release needs; nothing to do is fine."""
    config = _config(file, {"database_url": database_url})
    try:
        revision = migrate(config.database_url.get_secret_value())
    except _PROBLEMS as problem:
        raise click.ClickException(str(problem)) from problem
    click.echo(f"the database is at schema {revision}")


@cli.command("backup")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--database-url", metavar="URL", help="The database to back up.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there.")
@click.pass_obj
def backup_command(
    file: Path | None, /, *, path: Path, database_url: str | None, overwrite: bool
) -> None:
    """Write the whole catalog, as it is at one moment, into FILE; servers go on meanwhile.

    The format is the same for SQLite and PostgreSQL: each restores what the other wrote.
    """
    url = _database_url(file, database_url)
    with _told():
        manifest, counts = back_up(url, path, overwrite=overwrite)
    click.echo(f"{path}: {_contents(manifest, counts)}")


@cli.command("restore")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--database-url", metavar="URL", help="The database to restore into.")
@click.option("--force", is_flag=True, help="Replace what the database holds.")
@click.option("--while-in-use", is_flag=True, help="Even if something has the database open.")
@click.pass_obj
def restore_command(
    file: Path | None,
    /,
    *,
    path: Path,
    database_url: str | None,
    force: bool,
    while_in_use: bool,
) -> None:
    """Put what `dagcatalog backup` wrote into FILE into an empty database.

    All or nothing, after the whole file was checked. Revisions are those of the backup; the epoch
    is new, so that clients list again instead of going on in another history. Stop servers before.
    """
    url = _database_url(file, database_url)
    with _told():
        manifest, counts = restore(url, path, force=force, while_in_use=while_in_use)
    click.echo(f"restored: {_contents(manifest, counts)}")


@cli.command("check")
@click.option("--database-url", metavar="URL", help="The database to look at.")
@click.pass_obj
def check_command(file: Path | None, database_url: str | None) -> None:
    """Look for everything that can be wrong in a database; 1 if anything is.

    Servers go on meanwhile. Reads every row and every stored content.
    """
    url = _database_url(file, database_url)
    count = 0
    with _told():
        for finding in check_database(url):
            count += 1
            if count <= MAX_FINDINGS:
                click.echo(f"{finding.what}: {finding.where}")
    if count > MAX_FINDINGS:
        click.echo(f"and {count - MAX_FINDINGS} more")
    if count:
        raise click.exceptions.Exit(1)
    click.echo("nothing is wrong")


@cli.command("config")
@click.pass_obj
def config_command(file: Path | None) -> None:
    """Print the configuration that is in force, as TOML, secrets masked."""
    click.echo(render_config(_config(file, {})), nl=False)


def _database_url(file: Path | None, given: str | None) -> str:
    url = _config(file, {"database_url": given}).database_url.get_secret_value()
    if url.startswith("memory:"):
        raise click.ClickException("memory:// keeps nothing that another process could see")
    return url


def _contents(manifest: Manifest, counts: Mapping[str, int]) -> str:
    told = (f"{counts.get(name, 0)} {noun}" for name, noun in _NOUNS.items())
    return f"revision {manifest.revision} of {manifest.created_at}: {', '.join(told)}"


@contextmanager
def _told() -> Iterator[None]:
    """End the command with one sentence for what an operator can do something about."""
    try:
        yield
    except (*_PROBLEMS, *_DATABASE_PROBLEMS) as problem:
        raise click.ClickException(str(problem)) from problem


def _config(file: Path | None, given: dict[str, Any]) -> Config:
    try:
        return load_config(file, **given)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()
        )
        raise click.ClickException(f"the configuration is wrong: {wrong}") from error
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise click.ClickException(f"{file}: {error}") from error


def _say_ready(server: RunningServer) -> None:
    health = f" health={server.health_address}" if server.health_address else ""
    click.echo(f"ready: grpc={server.address}{health}")
    sys.stdout.flush()


def _run(main: Any) -> None:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)
