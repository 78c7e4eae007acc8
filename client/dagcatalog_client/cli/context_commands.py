"""`dagctl context`: the servers of the context file."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from dagcatalog_client import context_file, contexts, settings
from dagcatalog_client.cli.completing import complete_context
from dagcatalog_client.cli.context import Context, Output, output_option, pass_bare_context
from dagcatalog_client.cli.plain import emit
from dagcatalog_client.cli.tables import Column, print_block, print_table
from dagcatalog_client.contexts import Contexts, StoredContext
from dagcatalog_client.settings import Settings

MASK = "***"
MAX_TOKEN_CHARACTERS = 64 * 1024
FILE = click.Path(dir_okay=False, path_type=Path)
COLUMNS = (
    Column("CONTEXT", key=True),
    Column("ADDRESS", key=True),
    Column("NAMESPACE"),
    Column("TLS", fixed=True),
    Column("TOKEN", fixed=True),
)
_name_argument = click.argument("name", shell_complete=complete_context)


@click.group("context")
def context_group() -> None:
    """Keep several servers by name, and use one of them.

    They are in ~/.config/dagcatalog/contexts.toml, or the file that DAGCATALOG_CONTEXT_FILE names.
    `dagctl --context NAME` and DAGCATALOG_CONTEXT take another than the current one. The current one
    counts only where no address is given.
    """


@context_group.command("list")
@output_option
@pass_bare_context
def list_(context: Context) -> None:
    """List the contexts; * is the current one."""
    held = contexts.load()
    match context.output:
        case Output.TABLE if not held.by_name:
            context.notes.print(f"{held.file} has no contexts", markup=False)
        case Output.TABLE:
            rows = (_row(held, name, each) for name, each in held.by_name.items())
            print_table(context.console, COLUMNS, rows)
        case Output.NAME:
            for name in held.by_name:
                click.echo(name)
        case _:
            named = {name: _plain(each) for name, each in held.by_name.items()}
            emit({"current": held.current, "contexts": named}, context.output)


@context_group.command("show")
@click.argument("name", required=False, shell_complete=complete_context)
@output_option
@pass_bare_context
def show(context: Context, name: str | None) -> None:
    """Show one context or, without NAME, what is in force here; secrets are masked."""
    if name is None:
        shown = _in_force(context.chosen.resolve())
    else:
        shown = _plain(contexts.load().named(name))
    if context.output is Output.NAME:
        click.echo(name or shown["context"] or "")
    elif context.output is Output.TABLE:
        print_block(context.console, [(key, _shown(value)) for key, value in shown.items()])
    else:
        emit(shown, context.output)


@context_group.command("use")
@click.argument("name", required=False, shell_complete=complete_context)
@click.option("--none", is_flag=True, help="No context is the current one.")
def use(name: str | None, *, none: bool) -> None:
    """Make a context the current one."""
    if none == (name is not None):
        raise click.UsageError("name a context, or give --none")
    context_file.change(lambda held: held.used(name) if name else replace(held, current=""))
    click.echo(f"{name} is the current context" if name else "no context is the current one")


@context_group.command("set")
@_name_argument
@click.option("--address", metavar="HOST:PORT", help="Several with commas.")
@click.option("-n", "--namespace")
@click.option("--tls/--no-tls", default=None)
@click.option("--ca-file", type=FILE, metavar="PEM")
@click.option("--certificate-file", type=FILE, metavar="PEM")
@click.option("--key-file", type=FILE, metavar="PEM")
@click.option("--server-name", metavar="NAME")
@click.option("--token-file", type=FILE, metavar="FILE", help="Read again when it changes.")
@click.option("--token", "ask_token", is_flag=True, help="Ask for a token, or read it from a pipe.")
@click.option("--unset", multiple=True, metavar="SETTING", help="Take a setting away: ca_file.")
@click.option("--use", "use_it", is_flag=True, help="Make it the current context.")
def set_(*, name: str, ask_token: bool, unset: tuple[str, ...], use_it: bool, **given: Any) -> None:
    """Make a context, or change what is given of one.

    The file is written anew, for its owner only: comments in it are lost.
    """
    edits = _edits(given, unset)
    if ask_token:
        edits |= {"token": settings.check_token(_read_token()), "token_file": None}

    def edit(held: Contexts) -> Contexts:
        stored = replace(held.by_name.get(name, StoredContext()), **edits)
        edited = held.having(name, stored)
        # What could never connect is said now, and not kept.
        _resolved(edited, name)
        return edited.used(name) if use_it else edited

    edited = context_file.change(edit)
    click.echo(f"{name}: written to {edited.file}{', and the current one' if use_it else ''}")


@context_group.command("remove")
@_name_argument
def remove(name: str) -> None:
    """Remove a context; the server is not touched."""
    before = contexts.load().current
    context_file.change(lambda held: held.without(name))
    click.echo(f"{name}: removed{'; no context is the current one' if name == before else ''}")


def _edits(given: Mapping[str, Any], unset: tuple[str, ...]) -> dict[str, Any]:
    edits = {key: value for key, value in given.items() if value is not None}
    if "address" in edits:
        parts = edits.pop("address").split(",")
        edits["addresses"] = tuple(part.strip() for part in parts if part.strip())
    edits = {
        key: value.expanduser().absolute() if isinstance(value, Path) else value
        for key, value in edits.items()
    }
    if "token_file" in edits:
        edits["token"] = ""
    empty = StoredContext()
    for key in unset:
        field = {"address": "addresses"}.get(key, key).replace("-", "_")
        if not hasattr(empty, field) or field == "wants_tls":
            raise click.UsageError(f"{key!r} is no setting of a context")
        edits[field] = getattr(empty, field)
    return edits


def _read_token() -> str:
    """Ask without an echo, or take what the pipe says: an argument would be in the process list."""
    if sys.stdin.isatty():
        return str(click.prompt("Token", hide_input=True, err=True))
    return sys.stdin.read(MAX_TOKEN_CHARACTERS)


def _resolved(held: Contexts, name: str) -> Settings:
    """Check a context as a client would that uses it."""
    return settings.from_context(name, held.named(name))


def _row(held: Contexts, name: str, each: StoredContext) -> tuple[str, ...]:
    token = MASK if each.token else "file" if each.token_file else ""
    return (
        f"{name}{' *' if name == held.current else ''}",
        ", ".join(each.addresses) or settings.DEFAULT_ADDRESS,
        each.namespace,
        "mTLS" if each.certificate_file else "TLS" if each.wants_tls else "",
        token,
    )


def _plain(each: StoredContext) -> dict[str, Any]:
    files = ("ca_file", "certificate_file", "key_file", "token_file")
    return {
        "address": list(each.addresses),
        "namespace": each.namespace,
        "tls": each.wants_tls,
        "server_name": each.server_name,
        **{key: str(getattr(each, key) or "") for key in files},
        "token": MASK if each.token else "",
    }


def _in_force(found: Settings) -> dict[str, Any]:
    tls = found.tls or settings.Tls()
    return {
        "context": found.context,
        "address": list(found.addresses),
        "namespace": found.namespace,
        "tls": found.tls is not None,
        "server_name": tls.server_name,
        "ca_file": str(tls.ca_file or ""),
        "certificate_file": str(tls.certificate_file or ""),
        "key_file": str(tls.key_file or ""),
        "token_file": str(found.token) if isinstance(found.token, Path) else "",
        "token": MASK if isinstance(found.token, str) else "",
    }


def _shown(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)
