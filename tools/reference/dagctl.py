"""The page of dagctl, out of its commands."""

import inspect
import re
from collections.abc import Iterator

import click

from dagcatalog_client.cli import exits
from dagcatalog_client.cli.app import dagctl

INTRODUCTION = """\
`dagctl [OPTIONS] COMMAND [OPTIONS]`. Where it connects is in [connecting](connecting.md); `dagctl
completion` makes a shell complete commands and dag_ids.

Answers are tables for people (they fit the terminal, from 80 columns), and with `-o json` or `-o
yaml` everything for programs; `-o name` prints names only. `--watch` shows an answer again whenever
it has changed; with `-o json` that is a line each time. Notes, progress and errors go to standard
error; an error is one sentence that says what to try.
"""


def page() -> str:
    """Return the page."""
    root = click.Context(dagctl, info_name="dagctl")
    parts = ["# dagctl\n", INTRODUCTION, "## Exit codes\n", *_exit_codes(), "\n## Global options\n"]
    parts += _options(dagctl, root)
    for name in dagctl.list_commands(root):
        command = dagctl.get_command(root, name)
        assert command is not None
        parts += ["", *_command(command, click.Context(command, info_name=name, parent=root), 2)]
    return "\n".join(parts)


def _command(command: click.Command, ctx: click.Context, depth: int) -> Iterator[str]:
    yield f"{'#' * depth} {ctx.command_path}\n"
    usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
    yield f"```\n{usage}\n```\n"
    yield from _paragraphs(command.help or "")
    yield from _options(command, ctx)
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            assert inner is not None
            below = click.Context(inner, info_name=name, parent=ctx)
            yield ""
            yield from _command(inner, below, depth + 1)


def _paragraphs(help_text: str) -> Iterator[str]:
    for paragraph in inspect.cleandoc(help_text).split("\n\n"):
        if paragraph.startswith("\b"):
            lines = paragraph.removeprefix("\b\n")
            yield f"```\n{lines}\n```\n"
        else:
            yield f"{paragraph}\n"


def _options(command: click.Command, ctx: click.Context) -> Iterator[str]:
    rows = [each.get_help_record(ctx) for each in command.get_params(ctx)]
    kept = [row for row in rows if row is not None and not row[0].endswith("--help")]
    if kept:
        yield "| option | |\n|---|---|"
    for names, told in kept:
        yield f"| `{names.replace('|', chr(92) + '|')}` | {_cell(told)} |"


def _exit_codes() -> Iterator[str]:
    yield "| code | |\n|---|---|"
    for code, meaning in re.findall(r"^ +(\d+)  (.+)$", exits.EPILOG, re.MULTILINE):
        yield f"| {code} | {meaning} |"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()
