"""A difference for people: what changed in the words of a DAG, then value by value."""

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.text import Text

from dagcatalog_client.cli.tables import cell
from dagcatalog_client.model import Difference, DifferenceKind, FieldDifference, TaskDifference

MARKS = {
    DifferenceKind.ADDED: ("+", "green"),
    DifferenceKind.REMOVED: ("-", "red"),
    DifferenceKind.CHANGED: ("~", "yellow"),
}
INDENT = 2
LINE_CHARACTERS = 72
"""The old and the new value share a line up to this; longer ones are cut where they part."""
BEFORE_CHARACTERS = 16
"""What is shown of two long values before the place where they part."""


def print_difference(
    console: Console, difference: Difference, *, json_values: bool = False
) -> None:
    """Print what differs in the words of a DAG; with `json_values` also every value, uncut."""
    if difference.empty:
        console.print("nothing differs in the document")
        return
    sections = [(head, lines) for head, lines in _sections(difference) if lines]
    if json_values or not sections:
        sections.append(("Values", list(_fields(difference.json, whole=True))))
    for head, lines in sections:
        console.print(Text(head, style="bold"))
        for line in lines:
            console.print(line, soft_wrap=True)
    if difference.truncated:
        note = f"there is more: only the first {len(difference.json):,} values are listed"
        console.print(note, soft_wrap=True)


def _sections(difference: Difference) -> Iterator[tuple[str, list[Text]]]:
    """Name the parts in the order in which people ask for them; some are empty."""
    yield "Tasks", list(_tasks(difference))
    yield "Edges", list(_edges(difference))
    yield "Structure", list(_fields(_structure(difference)))
    yield "Schedule", list(_fields(difference.schedule))
    yield "Metadata", list(_fields(difference.metadata))


def _tasks(difference: Difference) -> Iterator[Text]:
    for task in difference.tasks:
        fields = _without_edges(task) if difference.edges else task.fields
        if fields or task.kind is not DifferenceKind.CHANGED:
            yield _line(task.kind, task.task_id)
            yield from _fields(fields, depth=2)


def _without_edges(task: TaskDifference) -> tuple[FieldDifference, ...]:
    """Leave out what the edges tell."""
    return tuple(
        field for field in task.fields if field.path.split("[")[0] != "downstream_task_ids"
    )


def _edges(difference: Difference) -> Iterator[Text]:
    for edge in difference.edges:
        yield _line(edge.kind, f"{edge.upstream_task_id} -> {edge.downstream_task_id}")


def _structure(difference: Difference) -> Iterator[FieldDifference]:
    """Find the structure that is neither task nor edge: groups, labels of edges.

    Every task is also a child of its group: where a whole task came or went, that says it twice.
    """
    told = {*difference.schedule, *difference.metadata}
    moved = tuple(
        f".children.{task.task_id}"
        for task in difference.tasks
        if task.kind is not DifferenceKind.CHANGED
    )
    for field in difference.json:
        in_tasks = field.path.startswith("dag.tasks")
        twice = field.kind is not DifferenceKind.CHANGED and field.path.endswith(moved)
        if not (in_tasks or twice or field in told):
            yield field


def _fields(
    fields: Iterable[FieldDifference], *, depth: int = 1, whole: bool = False
) -> Iterator[Text]:
    for field in fields:
        if field.kind is DifferenceKind.CHANGED:
            yield from _changed(field, depth=depth, whole=whole)
        else:
            value = field.new_json or field.old_json
            shown = value if whole else _cut(value)
            yield _line(field.kind, f"{_path(field, whole=whole)}: {shown}", depth=depth)


def _changed(field: FieldDifference, *, depth: int, whole: bool) -> Iterator[Text]:
    """Show both values: on one line if they are short, else below each other."""
    old, new = field.old_json, field.new_json
    line = _line(field.kind, f"{_path(field, whole=whole)}:", depth=depth)
    if len(old) + len(new) <= LINE_CHARACTERS:
        yield Text.assemble(line, " ", _value(old, "red"), " -> ", _value(new, "green"))
        return
    start = max(0, _parting(old, new) - BEFORE_CHARACTERS)
    yield line
    for kind, value in ((DifferenceKind.REMOVED, old), (DifferenceKind.ADDED, new)):
        yield _line(kind, value if whole else _cut(value, start), depth=depth + 1)


def _parting(old: str, new: str) -> int:
    """Return where two values begin to differ."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(old), len(new)))


def _path(field: FieldDifference, *, whole: bool) -> str:
    return field.path if whole else field.path.removeprefix("dag.")


def _line(kind: DifferenceKind, text: str, *, depth: int = 1) -> Text:
    mark, style = MARKS.get(kind, ("?", ""))
    return Text.assemble(" " * INDENT * depth, (f"{mark} ", style), _value(text, style))


def _value(text: str, style: str) -> Text:
    shown = cell(text)
    shown.stylize(style)
    return shown


def _cut(text: str, start: int = 0) -> str:
    end = start + LINE_CHARACTERS
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"
