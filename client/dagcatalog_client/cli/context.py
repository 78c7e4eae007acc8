"""What every dagctl command is given: where the catalog is, and how to answer."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Concatenate, ParamSpec, TypeVar

import click
from rich.console import Console

from dagcatalog_client.client import Client

OUTPUT_HELP = "Form of the answer"
NAMESPACE_HELP = "Airflow deployment; - for all where a list is meant"

P = ParamSpec("P")
R = TypeVar("R")


class Output(StrEnum):
    """Forms of an answer: tables for people, the others for programs."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Context:
    """The global options of one dagctl command, and the two consoles it writes to."""

    address: str
    namespace: str
    timeout_s: float | None
    """Deadline that the caller asked for; None: each call's own default."""
    output: Output
    console: Console
    """Standard output: answers."""
    notes: Console
    """Standard error: progress, warnings, errors."""

    def client(self) -> Client:
        """Open a client with these options; use it in a `with` block."""
        return Client(self.address, namespace=self.namespace, timeout_s=self.timeout_s)


def pass_context(command: Callable[Concatenate[Context, P], R]) -> Callable[P, R]:
    """Give a command the `Context` as its first argument, and the options -n and -o of its own."""
    with_context = click.make_pass_decorator(Context)(command)
    return _namespace_option(_output_option(with_context))


def _replace(ctx: click.Context, option: click.Parameter, value: str | None) -> None:
    """Let an option that follows the command win over the one before it."""
    if value is None or ctx.resilient_parsing:
        return
    if option.name == "output":
        ctx.obj = replace(ctx.obj, output=Output(value))
    else:
        ctx.obj = replace(ctx.obj, namespace=value)


_output_option = click.option(
    "-o",
    "--output",
    type=click.Choice([form.value for form in Output]),
    callback=_replace,
    expose_value=False,
    help=f"{OUTPUT_HELP}, as before the command.",
)
_namespace_option = click.option(
    "-n",
    "--namespace",
    callback=_replace,
    expose_value=False,
    help=f"{NAMESPACE_HELP}, as before the command.",
)
