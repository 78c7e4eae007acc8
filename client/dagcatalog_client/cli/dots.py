"""A graph in the languages of Graphviz and Mermaid."""

from collections.abc import Iterator

from dagcatalog_client.cli.arrows import DAG, Drawing, Node


def dot(drawing: Drawing) -> Iterator[str]:
    """Write Graphviz's language."""
    yield "digraph dags {"
    yield "  rankdir=LR;"
    yield '  node [shape=box, fontname="sans-serif"];'
    names = _names(drawing)
    for node, name in names.items():
        shape = "" if node.kind == DAG else ", shape=ellipse"
        yield f"  {name} [label={_quoted(drawing.label(node))}{shape}];"
    for arrow in drawing.arrows:
        label = f" [label={_quoted(arrow.label)}]" if arrow.label else ""
        yield f"  {names[arrow.source]} -> {names[arrow.target]}{label};"
    yield "}"


def mermaid(drawing: Drawing) -> Iterator[str]:
    """Write Mermaid's language, as Markdown pages show it."""
    yield "flowchart LR"
    names = _names(drawing)
    for node, name in names.items():
        left, right = ("[", "]") if node.kind == DAG else ("([", "])")
        yield f"  {name}{left}{_entities(drawing.label(node))}{right}"
    for arrow in drawing.arrows:
        label = f"|{_entities(arrow.label)}|" if arrow.label else ""
        yield f"  {names[arrow.source]} -->{label} {names[arrow.target]}"


def _names(drawing: Drawing) -> dict[Node, str]:
    """Number the nodes: an id of theirs may hold any character."""
    return {node: f"n{number}" for number, node in enumerate(drawing.nodes)}


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _entities(text: str) -> str:
    safe = "".join(
        each if each.isalnum() or each in " _-.:/" else f"#{ord(each)};" for each in text
    )
    return f'"{safe}"'
