"""A graph of DAGs and what lies between them, as arrows from node to node: what the drawings share."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dagcatalog_client.model import Dependency

DAG = "dag"
_THINGS = ("asset", "dataset")


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """A DAG, or an asset, alias or reference between DAGs."""

    kind: str
    name: str
    """What identifies it."""


@dataclass(frozen=True, slots=True, order=True)
class Arrow:
    """From one node to another; `label` is the task's of a trigger or a sensor."""

    source: Node
    target: Node
    label: str = ""


@dataclass(frozen=True)
class Drawing:
    """Nodes by name, arrows between them, and what people call the nodes."""

    arrows: Sequence[Arrow]
    labels: Mapping[Node, str]

    @property
    def nodes(self) -> Sequence[Node]:
        """Every node, DAGs and assets by name."""
        return sorted(self.labels, key=lambda node: (self.labels[node], node))

    def label(self, node: Node) -> str:
        """Return what people call a node."""
        return self.labels[node]

    def following(self) -> Mapping[Node, Sequence[Arrow]]:
        """Return the arrows from each node."""
        return self._by(lambda arrow: arrow.source)

    def preceding(self) -> Mapping[Node, Sequence[Arrow]]:
        """Return the arrows to each node."""
        return self._by(lambda arrow: arrow.target)

    def _by(self, end: Callable[[Arrow], Node]) -> Mapping[Node, Sequence[Arrow]]:
        found: defaultdict[Node, list[Arrow]] = defaultdict(list)
        for arrow in self.arrows:
            found[end(arrow)].append(arrow)
        return found


def drawing_of(edges: Iterable[Dependency], dag_ids: Iterable[str] = ()) -> Drawing:
    """Make a drawing of edges as Airflow wrote them; `dag_ids` are drawn even without an edge."""
    labels = {Node(DAG, one): one for one in dag_ids}
    arrows = set()
    for edge in edges:
        for arrow in _arrows(edge):
            arrows.add(arrow)
            for node in (arrow.source, arrow.target):
                if node.kind == DAG:
                    labels[node] = node.name
                elif node.kind == edge.dependency_type:
                    labels[node] = f"[{node.kind}] {edge.label or node.name}"
                else:
                    labels.setdefault(node, f"[{node.kind}] {node.name}")
    return Drawing(sorted(arrows), {node: _visible(label) for node, label in labels.items()})


def _visible(label: str) -> str:
    """Keep a terminal from obeying what an asset is called."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in label)


def _arrows(edge: Dependency) -> Iterator[Arrow]:
    """A trigger or sensor is one arrow; at an asset an edge is what comes to it, or goes from it."""
    kind = edge.dependency_type
    if not kind.startswith(_THINGS):
        yield Arrow(
            Node(DAG, edge.source), Node(DAG, edge.target), _visible(f"{kind} {edge.label}".strip())
        )
        return
    thing = Node(kind, edge.dependency_id or edge.label)
    if edge.source not in {"", kind}:
        yield Arrow(_end(edge.source), thing)
    if edge.target not in {"", kind}:
        yield Arrow(thing, _end(edge.target))


def _end(text: str) -> Node:
    kind, separator, name = text.partition(":")
    return Node(kind, name) if separator else Node(DAG, text)
