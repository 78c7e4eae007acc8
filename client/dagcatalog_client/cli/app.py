"""The command `dagctl`: its global options, its commands, and how it ends."""

import importlib
import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence

import click
from rich.console import Console

from dagcatalog_client.cli import exits
from dagcatalog_client.cli.context import NAMESPACE_HELP, OUTPUT_HELP, Context, Output
from dagcatalog_client.errors import CatalogError
from dagcatalog_client.settings import (
    ADDRESS_VARIABLE,
    DEFAULT_ADDRESS,
    DEFAULT_NAMESPACE,
    NAMESPACE_VARIABLE,
)
from dagcatalog_client.version import __version__

COMMANDS: Mapping[str, str] = {
    "put": "put:put",
    "load": "load:load",
    "get": "get:get",
    "list": "listing:list_dags",
    "history": "history:history",
    "diff": "diff:diff",
    "watch": "watch:watch",
    "delete": "delete:delete",
    "restore": "delete:restore",
    "rollback": "rollback:rollback",
    "prune": "prune:prune",
    "verify": "verify:verify",
    "errors": "parse_errors:parse_errors",
    "graph": "graph:graph",
    "wait": "wait:wait",
    "status": "status:status",
}
"""Command to module and function below `cli`; a module is imported when its command is used."""

PIPE_WIDTH = 10_000
"""Columns when the output is no terminal: a program that reads a table wants it whole."""


class LazyGroup(click.Group):
    """Commands that are imported when they are needed: `dagctl get` loads nothing of `load`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Name the commands in the order of a DAG's life."""
        return [name for name in COMMANDS if _is_there(name)]

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's
        cmd_name: str,
    ) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS or not _is_there(cmd_name):
            return None
        module, _, function = COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(f"{__package__}.{module}"), function)
        return command if isinstance(command, click.Command) else None


@click.command(
    "dagctl",
    cls=LazyGroup,
    epilog=exits.EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--address",
    envvar=ADDRESS_VARIABLE,
    default=DEFAULT_ADDRESS,
    show_default=True,
    show_envvar=True,
    help="Where the catalog is, host:port.",
)
@click.option(
    "-n",
    "--namespace",
    envvar=NAMESPACE_VARIABLE,
    default=DEFAULT_NAMESPACE,
    show_default=True,
    show_envvar=True,
    help=f"{NAMESPACE_HELP}.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="How long to wait for each answer.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice([form.value for form in Output]),
    default=Output.TABLE.value,
    show_default=True,
    help=f"{OUTPUT_HELP}.",
)
@click.version_option(__version__, prog_name="dagctl")
@click.pass_context
def dagctl(
    ctx: click.Context, address: str, namespace: str, timeout_s: float | None, output: str
) -> None:
    """Put, read and watch the DAGs of a dagcatalog.

    -n and -o may also follow the command: dagctl list -o json.
    """
    ctx.obj = Context(
        address=address,
        namespace=namespace,
        timeout_s=timeout_s,
        output=Output(output),
        console=_console(stderr=False),
        notes=_console(stderr=True),
    )


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; every failure is one sentence on stderr."""
    try:
        code = dagctl.main(args=arguments, prog_name="dagctl", standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        error.show()
        return exits.USAGE
    except click.ClickException as error:
        click.echo(f"dagctl: {error.format_message()}", err=True)
        return exits.FAILED
    except click.Abort:
        return exits.INTERRUPTED
    except CatalogError as error:
        click.echo(f"dagctl: {exits.advice(error)}", err=True)
        return exits.exit_code(error)
    except (BrokenPipeError, SystemExit):  # click and rich both exit when the pipe is broken
        _silence_stdout()
        return exits.BROKEN_PIPE
    return code if isinstance(code, int) else exits.OK


def _is_there(command: str) -> bool:
    module = COMMANDS[command].partition(":")[0]
    return importlib.util.find_spec(f"{__package__}.{module}") is not None


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(stderr=stderr, width=width, highlight=False)


def _silence_stdout() -> None:
    """Keep the interpreter's last flush from telling about the pipe that the reader closed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
