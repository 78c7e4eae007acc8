"""`dagctl watch`: changes as they happen."""

import sys
from collections.abc import Iterator

import click
from rich.text import Text

from dagcatalog_client.cli.context import Context, Output, pass_context
from dagcatalog_client.cli.plain import emit_line
from dagcatalog_client.cli.tables import cell, time_text
from dagcatalog_client.client import Client, Watch
from dagcatalog_client.errors import Unavailable
from dagcatalog_client.model import (
    Bookmark,
    Change,
    ChangeClass,
    ChangeSet,
    DagSummary,
    Position,
    StatePage,
)

STYLES = {"CREATED": "green", "RESTORED": "green", "DELETED": "red", "NEW_VERSION": "yellow"}
CLASSES = {each.name.lower(): each for each in ChangeClass if each is not ChangeClass.UNSPECIFIED}


@click.command("watch")
@click.option("--prefix", default="", help="Start of the dag_id.")
@click.option("--after", type=click.IntRange(min=0), metavar="REVISION", help="Begin after it.")
@click.option("--initial", is_flag=True, help="Begin with all live DAGs.")
@click.option(
    "--class",
    "classes",
    multiple=True,
    type=click.Choice(list(CLASSES)),
    help="Only changes of this part of a definition; may be repeated.",
)
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many changes.")
@pass_context
def watch(
    context: Context,
    *,
    prefix: str,
    after: int | None,
    initial: bool,
    classes: tuple[str, ...],
    count: int | None,
) -> None:
    """Print one line for each change, until interrupted."""
    if after is not None and initial:
        raise click.UsageError("give --after or --initial, not both")
    with (
        context.client() as client,
        client.watch(
            namespaces=[context.namespace],
            dag_id_prefix=prefix,
            classes=[CLASSES[name] for name in classes],
            after=None if initial else _start(context, client, after),
            initial_state=initial,
            timeout_s=context.timeout_s,
        ) as events,
    ):
        _follow(context, events, count)


def _start(context: Context, client: Client, after: int | None) -> Position | int:
    """Return where to begin: a place that is known, so that nothing after this line is missed."""
    if after is not None:
        return after
    position = client.status().position
    context.notes.print(f"watching from revision {position.revision}")
    return position


def _follow(context: Context, events: Watch, count: int | None) -> None:
    for seen, change in enumerate(_changes(context, events), start=1):
        _show_change(context, change)
        if seen == count:
            return
    position = events.position
    hint = f"; go on with `dagctl watch --after {position.revision}`" if position else ""
    raise Unavailable(f"the catalog at {context.address} is stopping and ended the watch{hint}")


def _changes(context: Context, events: Watch) -> Iterator[Change]:
    for event in events:
        match event:
            case StatePage():
                for dag in event.dags:
                    _show_present(context, dag.summary)
            case ChangeSet():
                yield from event.changes
            case Bookmark(synced=True):
                _show_synced(context, event)


def _show_change(context: Context, change: Change) -> None:
    summary = change.dag.summary
    if context.output in (Output.TABLE, Output.NAME):
        classes = ",".join(each.name.lower() for each in change.classes)
        _line(context, summary, f"{change.kind.name:<11}", classes)
        return
    event = {
        "event": "change",
        "revision": change.revision,
        "ordinal": change.ordinal,
        "kind": change.kind,
        "classes": change.classes,
        "dag": summary,
    }
    _emit(context, event)


def _show_present(context: Context, summary: DagSummary) -> None:
    if context.output in (Output.TABLE, Output.NAME):
        _line(context, summary, f"{'present':<11}", "")
        return
    _emit(context, {"event": "present", "revision": summary.revision, "dag": summary})


def _show_synced(context: Context, mark: Bookmark) -> None:
    if context.output in (Output.TABLE, Output.NAME):
        context.notes.print(f"synced at revision {mark.position.revision}")
        return
    _emit(context, {"event": "synced", "position": mark.position})


def _emit(context: Context, event: object) -> None:
    emit_line(event, context.output)
    sys.stdout.flush()


def _line(context: Context, summary: DagSummary, kind: str, classes: str) -> None:
    if context.output is Output.NAME:
        click.echo(summary.dag_id)
        return
    line = Text.assemble(
        f"{time_text(summary.update_time)}  {summary.revision:>8}  ",
        (kind, STYLES.get(kind.strip(), "")),
        f"  {'' if context.namespace != '-' else summary.namespace + '/'}",
        cell(summary.dag_id),
        f"  v{summary.version}  {classes}",
    )
    line.rstrip()
    context.console.print(line, soft_wrap=True)
