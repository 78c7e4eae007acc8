"""Answers for people: tables and short blocks that fit the terminal."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dagcatalog_client.model import DagSummary, ScheduleKind

UNIT = 1024
GAP = 2
WIDE = 100


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its head, and how it behaves where the terminal is narrow."""

    head: str
    number: bool = False
    """Right-aligned and never cut."""
    key: bool = False
    """Folded rather than cut: people copy it."""
    fixed: bool = False
    """Never cut; a time for instance."""
    wide_only: bool = False
    """Left out where the terminal is narrow."""


def print_table(console: Console, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under their heads, without lines, as kubectl does."""
    kept = [i for i, each in enumerate(columns) if console.width >= WIDE or not each.wide_only]
    cells = [[cell(row[i]) for i in kept] for row in rows]
    widths = _widths([columns[i] for i in kept], cells, room=console.width)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, GAP, 0, 0))
    for i, width in zip(kept, widths, strict=True):
        column = columns[i]
        table.add_column(
            column.head,
            justify="right" if column.number else "left",
            no_wrap=not column.key,
            overflow="fold" if column.key else "ellipsis",
            width=width,
        )
    for row in cells:
        table.add_row(*row)
    console.print(table)


def print_block(console: Console, pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values below each other, without the empty ones."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            table.add_row(name, cell(value))
    console.print(table)


def cell(text: str) -> Text:
    """Return text as it is, markup and all, but for what would move the cursor."""
    return Text("".join(each if each.isprintable() else _visible(each) for each in text))


def summary_block(summary: DagSummary) -> list[tuple[str, str]]:
    """Return what people look for first in a DAG."""
    deleted = f"yes: {summary.delete_reason or 'no reason given'}" if summary.deleted else ""
    return [
        ("DAG", summary.dag_id),
        ("Namespace", summary.namespace),
        ("Name", summary.display_name),
        ("Version", f"{summary.version} (revision {summary.revision})"),
        ("Deleted", deleted),
        ("Description", summary.description),
        ("Schedule", schedule_text(summary)),
        ("Tags", ", ".join(summary.tags)),
        ("Owners", ", ".join(summary.owners)),
        ("Tasks", f"{summary.task_count} ({', '.join(summary.operators) or 'none'})"),
        ("File", file_text(summary)),
        ("Labels", ", ".join(f"{k}={v}" for k, v in sorted(summary.labels.items()))),
        ("Content", summary.content_hash),
        ("Definition", summary.definition_hash),
        ("Document", size_text(summary.document_bytes)),
        ("Source", size_text(summary.source_bytes) if summary.source_hash else ""),
        ("Created", time_text(summary.create_time)),
        ("Updated", f"{time_text(summary.update_time)} by {summary.actor or 'unknown'}"),
    ]


def schedule_text(summary: DagSummary) -> str:
    """Return the schedule for people: its text, or its kind."""
    schedule = summary.schedule
    if schedule.text:
        return schedule.text
    return "" if schedule.kind is ScheduleKind.UNSPECIFIED else schedule.kind.name.lower()


def file_text(summary: DagSummary) -> str:
    """Return where a DAG came from, with its bundle if it has one."""
    provenance = summary.provenance
    bundle = f"{provenance.bundle_name}:" if provenance.bundle_name else ""
    return f"{bundle}{provenance.file or summary.fileloc}"


def time_text(moment: datetime | None) -> str:
    """Return a time in this machine's zone, to the second."""
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def size_text(size: float) -> str:
    """Return a number of bytes in the unit that suits it."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < UNIT:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= UNIT
    return f"{size:.1f} TiB"


def _visible(character: str) -> str:
    if character in "\n\t":
        return " "
    return "\N{REPLACEMENT CHARACTER}"


def _widths(columns: Sequence[Column], cells: Sequence[Sequence[Text]], *, room: int) -> list[int]:
    """Give each column what it needs; where that is too much, take from the widest that bends.

    Rich's own way starts with the columns that fold, and leaves nothing of them.
    """
    widths = [
        max([len(column.head), *(row[i].cell_len for row in cells)])
        for i, column in enumerate(columns)
    ]
    excess = sum(widths) + GAP * (len(columns) - 1) - room
    bending = [i for i, column in enumerate(columns) if not (column.number or column.fixed)]
    for _ in range(excess):
        widest = max(bending, key=lambda i: widths[i] / (2 if columns[i].key else 1))
        widths[widest] = max(widths[widest] - 1, 1)
    return widths
