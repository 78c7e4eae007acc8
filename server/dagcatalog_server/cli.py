"""`dagcatalog`: serve, migrate, config."""

import asyncio
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from dagcatalog_server.app import (
    ConfigurationProblem,
    RunningServer,
    opened_store,
    serve,
)
from dagcatalog_server.catalog.errors import CatalogError
from dagcatalog_server.catalog.ports import StoreFull, StoreUnavailable
from dagcatalog_server.config import Config, load_config
from dagcatalog_server.config_text import render_config
from dagcatalog_server.logs import configure_logs
from dagcatalog_server.store.schema import SchemaMismatch, migrate

_PROBLEMS = (
    CatalogError,
    ConfigurationProblem,
    OSError,
    SchemaMismatch,
    StoreFull,
    StoreUnavailable,
    tomllib.TOMLDecodeError,
)


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


@cli.command("config")
@click.pass_obj
def config_command(file: Path | None) -> None:
    """Print the configuration that is in force, as TOML, secrets masked."""
    click.echo(render_config(_config(file, {})), nl=False)


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
