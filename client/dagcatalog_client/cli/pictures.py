"""A graph as SVG: nodes in columns, every arrow from left to right but those that close a circle."""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from dagcatalog_client.cli.arrows import DAG, Drawing, Node

HEIGHT = 28
ROW = HEIGHT + 16
GAP = 90
MARGIN = 16
CHARACTER = 7.5
"""Width of a character of 13 px, generously."""


def svg(drawing: Drawing) -> Iterator[str]:
    """Write a picture that needs no program to lay it out."""
    columns = _columns(drawing)
    widths = [_width(drawing, column) for column in columns]
    places: dict[Node, tuple[float, float, float]] = {}
    left = float(MARGIN)
    for column, width in zip(columns, widths, strict=True):
        for row, node in enumerate(column):
            places[node] = (left, MARGIN + row * ROW, width)
        left += width + GAP
    height = 2 * MARGIN + max(map(len, columns), default=0) * ROW
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left:.0f}" height="{height}" '
        'font-family="sans-serif" font-size="13">'
    )
    yield (
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#666"/></marker></defs>'
    )
    for arrow in drawing.arrows:
        yield _line(places[arrow.source], places[arrow.target], arrow.label)
    for node, place in places.items():
        yield _box(place, drawing.label(node), is_dag=node.kind == DAG)
    yield "</svg>"


def _columns(drawing: Drawing) -> list[list[Node]]:
    """Put each node right of all that lead to it, as far as circles allow."""
    following = drawing.following()
    open_arrows = dict.fromkeys(drawing.nodes, 0)
    for arrow in drawing.arrows:
        open_arrows[arrow.target] += 1
    depth = dict.fromkeys(drawing.nodes, 0)
    left = dict.fromkeys(drawing.nodes)
    ready = deque(node for node in drawing.nodes if not open_arrows[node])
    while left:
        node = ready.popleft() if ready else next(iter(left))  # of a circle: begin anywhere
        if node not in left:
            continue
        del left[node]
        for arrow in following.get(node, ()):
            if arrow.target in left:
                depth[arrow.target] = max(depth[arrow.target], depth[node] + 1)
                open_arrows[arrow.target] -= 1
                if not open_arrows[arrow.target]:
                    ready.append(arrow.target)
    return _by_depth(depth)


def _by_depth(depth: Mapping[Node, int]) -> list[list[Node]]:
    columns: defaultdict[int, list[Node]] = defaultdict(list)
    for node, column in depth.items():
        columns[column].append(node)
    return [columns[column] for column in sorted(columns)]


def _width(drawing: Drawing, column: Sequence[Node]) -> float:
    return max(len(drawing.label(node)) for node in column) * CHARACTER + 20


def _box(place: tuple[float, float, float], label: str, *, is_dag: bool) -> str:
    left, top, width = place
    radius, fill = (4, "#e8f0fe") if is_dag else (HEIGHT / 2, "#fff4d6")
    return (
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{HEIGHT}" rx="{radius}" '
        f'fill="{fill}" stroke="#666"/><text x="{left + width / 2:.0f}" y="{top + 18:.0f}" '
        f'text-anchor="middle">{escape(label)}</text>'
    )


def _line(
    source: tuple[float, float, float], target: tuple[float, float, float], label: str
) -> str:
    x1, y1 = source[0] + source[2], source[1] + HEIGHT / 2
    x2, y2 = target[0], target[1] + HEIGHT / 2
    bend = max(GAP / 2, abs(x2 - x1) / 3)
    path = (
        f'<path d="M{x1:.0f},{y1:.0f} C{x1 + bend:.0f},{y1:.0f} {x2 - bend:.0f},{y2:.0f} '
        f'{x2:.0f},{y2:.0f}" fill="none" stroke="#666" marker-end="url(#tip)">'
    )
    return f"{path}<title>{escape(label)}</title></path>" if label else f"{path}</path>"
