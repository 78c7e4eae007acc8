"""A graph as a tree of text: every node once with what follows it, then only by name."""

from collections.abc import Iterator, Mapping, Sequence

from dagcatalog_client.cli.arrows import DAG, Arrow, Drawing, Node

AGAIN = " (above)"
MAX_LEVELS = 200


def forest(drawing: Drawing) -> Iterator[str]:
    """Draw everything: from the nodes that nothing leads to, then from what lies in circles only."""
    following, preceding = drawing.following(), drawing.preceding()
    shown: set[Node] = set()
    first = [node for node in drawing.nodes if not preceding.get(node)]
    circles = [node for node in drawing.nodes if node.kind == DAG and preceding.get(node)]
    for root in (*first, *circles):
        if root not in shown:
            yield drawing.label(root)
            yield from _branches(drawing, root, following, shown, up=False)


def around(drawing: Drawing, root: Node) -> Iterator[str]:
    """Draw a node between what leads to it (above) and what it leads to."""
    before = list(_branches(drawing, root, drawing.preceding(), {root}, up=True))
    yield from (_upside_down(line) for line in reversed(before))
    yield drawing.label(root)
    yield from _branches(drawing, root, drawing.following(), {root}, up=False)


def _branches(
    drawing: Drawing,
    root: Node,
    arrows: Mapping[Node, Sequence[Arrow]],
    shown: set[Node],
    *,
    up: bool,
) -> Iterator[str]:
    """Walk without recursion: a chain of DAGs may be longer than Python's stack."""
    shown.add(root)
    waiting = [("", list(arrows.get(root, ())))]
    while waiting:
        indent, rest = waiting[-1]
        if not rest:
            waiting.pop()
            continue
        arrow = rest.pop(0)
        node = arrow.source if up else arrow.target
        known = node in shown
        note = f" ({arrow.label})" if arrow.label else ""
        again = AGAIN if known and arrows.get(node) else ""
        yield f"{indent}{'├── ' if rest else '└── '}{drawing.label(node)}{note}{again}"
        if not known and len(waiting) < MAX_LEVELS:
            shown.add(node)
            waiting.append((indent + ("│   " if rest else "    "), list(arrows.get(node, ()))))


def _upside_down(line: str) -> str:
    return line.replace("└", "┌")
