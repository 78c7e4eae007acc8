"""What every dagctl command is given: where the catalog is, and how to answer."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import click
from rich.console import Console

from dagcatalog_client import settings
from dagcatalog_client.client import Client
from dagcatalog_client.settings import Settings

OUTPUT_HELP = "Form of the answer"
NAMESPACE_HELP = "Airflow deployment; - for all where a list is meant"
NAMESPACE_KEY = "dagcatalog_client.cli.namespace"
"""Where completion finds the -n that follows a command: nothing is made then that could hold it."""

P = ParamSpec("P")
R = TypeVar("R")


class Output(StrEnum):
    """Forms of an answer: tables for people, the others for programs."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the options say of the connection; the rest is in variables, a context, the defaults."""

    context: str | None = None
    address: str | None = None
    namespace: str | None = None
    tls: bool | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None
    token_file: Path | None = None

    def resolve(self, environ: Mapping[str, str] = os.environ) -> Settings:
        """Find out what is in force; an option takes the place of its variable.

        Raises:
            InvalidSettings: options, variables and context contradict each other.

        """
        options = {
            settings.CA_FILE_VARIABLE: self.ca_file,
            settings.CERTIFICATE_FILE_VARIABLE: self.certificate_file,
            settings.KEY_FILE_VARIABLE: self.key_file,
            settings.SERVER_NAME_VARIABLE: self.server_name,
        }
        given = {name: str(value) for name, value in options.items() if value is not None}
        return settings.resolve(
            self.address,
            self.namespace,
            tls=self.tls,
            token=self.token_file,
            context=self.context,
            environ={**environ, **given},
        )


@dataclass(frozen=True, slots=True)
class Context:
    """The global options of one dagctl command, and the two consoles it writes to."""

    chosen: Chosen
    timeout_s: float | None
    """Deadline that the caller asked for; None: each call's own default."""
    output: Output
    console: Console
    """Standard output: answers."""
    notes: Console
    """Standard error: progress, warnings, errors."""

    @property
    def address(self) -> str:
        """Where the catalog is."""
        return self.chosen.resolve().address

    @property
    def namespace(self) -> str:
        """Airflow deployment that the command is about."""
        return self.chosen.resolve().namespace

    def client(self, *, timeout_s: float | None = None) -> Client:
        """Open a client with these options; use it in a `with` block."""
        found = self.chosen.resolve()
        return Client(
            found.address,
            namespace=found.namespace,
            timeout_s=timeout_s or self.timeout_s,
            tls=found.tls or False,
            token=found.token,
        )


def pass_context(command: Callable[Concatenate[Context, P], R]) -> Callable[P, R]:
    """Give a command the `Context` as its first argument, and the options -n and -o of its own."""
    return namespace_option(output_option(pass_bare_context(command)))


pass_bare_context = click.make_pass_decorator(Context)
"""For a command to which -n or -o mean nothing."""


def _replace(ctx: click.Context, option: click.Parameter, value: str | None) -> None:
    """Let an option that follows the command win over the one before it."""
    if value is None:
        return
    if ctx.resilient_parsing:
        ctx.meta.update({NAMESPACE_KEY: value} if option.name == "namespace" else {})
    elif option.name == "output":
        ctx.obj = replace(ctx.obj, output=Output(value))
    else:
        ctx.obj = replace(ctx.obj, chosen=replace(ctx.obj.chosen, namespace=value))


output_option = click.option(
    "-o",
    "--output",
    type=click.Choice([form.value for form in Output]),
    callback=_replace,
    expose_value=False,
    help=f"{OUTPUT_HELP}, as before the command.",
)
namespace_option = click.option(
    "-n",
    "--namespace",
    callback=_replace,
    expose_value=False,
    help=f"{NAMESPACE_HELP}, as before the command.",
)
