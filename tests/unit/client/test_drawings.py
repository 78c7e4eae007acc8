"""Graphs of DAGs as trees, in Graphviz's and Mermaid's languages, and as SVG."""

from xml.etree import ElementTree as ET

from dagcatalog_client.cli.arrows import DAG, Drawing, Node, drawing_of
from dagcatalog_client.cli.dots import dot, mermaid
from dagcatalog_client.cli.pictures import svg
from dagcatalog_client.cli.trees import MAX_LEVELS, around, forest
from dagcatalog_client.model import Dependency


def out(dag_id: str, name: str) -> Dependency:
    return Dependency(dag_id, "asset", name, "asset", f'{{"name": "{name}"}}')


def on(dag_id: str, name: str) -> Dependency:
    return Dependency("asset", dag_id, name, "asset", f'{{"name": "{name}"}}')


def go(source: str, target: str) -> Dependency:
    return Dependency(source, target, "go", "trigger", "go")


SHOP = [
    out("orders", "sales"),
    on("report", "sales"),
    on("forecast", "sales"),
    go("report", "mail"),
]
CIRCLE = [go("a", "b"), go("b", "c"), go("c", "a")]


def test_a_namespace_is_a_forest() -> None:
    assert list(forest(drawing_of([*SHOP, go("x", "mail")]))) == [
        "orders",
        "└── [asset] sales",
        "    ├── forecast",
        "    └── report",
        "        └── mail (trigger go)",
        "x",
        "└── mail (trigger go)",
    ]


def test_what_was_shown_with_what_follows_is_only_named_again() -> None:
    edges = [go("a", "b"), go("a", "c"), go("b", "d"), go("c", "b")]
    assert list(forest(drawing_of(edges))) == [
        "a",
        "├── b (trigger go)",
        "│   └── d (trigger go)",
        "└── c (trigger go)",
        "    └── b (trigger go) (above)",
    ]


def test_a_circle_begins_somewhere_and_ends() -> None:
    assert list(forest(drawing_of(CIRCLE))) == [
        "a",
        "└── b (trigger go)",
        "    └── c (trigger go)",
        "        └── a (trigger go) (above)",
    ]


def test_around_a_dag_what_leads_to_it_is_above_and_what_it_leads_to_below() -> None:
    assert list(around(drawing_of(SHOP), Node(DAG, "report"))) == [
        "    ┌── orders",
        "┌── [asset] sales",
        "report",
        "└── mail (trigger go)",
    ]
    alone = drawing_of([], ["alone"])
    assert list(around(alone, Node(DAG, "alone"))) == ["alone"]


def test_a_long_chain_is_cut_where_nobody_reads_on() -> None:
    chain = [go(f"d{number:04}", f"d{number + 1:04}") for number in range(2_000)]
    assert len(list(around(drawing_of(chain), Node(DAG, "d0000")))) == MAX_LEVELS + 1


def test_graphviz_and_mermaid_number_the_nodes_and_quote_what_people_see() -> None:
    edges = [out("a", 'x"]\n'), go("a", "b")]
    assert list(dot(drawing_of(edges))) == [
        "digraph dags {",
        "  rankdir=LR;",
        '  node [shape=box, fontname="sans-serif"];',
        '  n0 [label="[asset] x\\"]�", shape=ellipse];',
        '  n1 [label="a"];',
        '  n2 [label="b"];',
        "  n1 -> n0;",
        '  n1 -> n2 [label="trigger go"];',
        "}",
    ]
    assert list(mermaid(drawing_of(edges))) == [
        "flowchart LR",
        '  n0(["#91;asset#93; x#34;#93;#65533;"])',
        '  n1["a"]',
        '  n2["b"]',
        "  n1 --> n0",
        '  n1 -->|"trigger go"| n2',
    ]


def _boxes(drawing: Drawing) -> dict[str, tuple[float, float]]:
    picture = ET.fromstring("\n".join(svg(drawing)))
    space = "{http://www.w3.org/2000/svg}"
    rects, texts = picture.findall(f"{space}rect"), picture.findall(f"{space}text")
    return {
        text.text or "": (float(rect.attrib["x"]), float(rect.attrib["y"]))
        for rect, text in zip(rects, texts, strict=True)
    }


def test_in_a_picture_arrows_go_to_the_right_and_no_box_covers_another() -> None:
    boxes = _boxes(drawing_of([*SHOP, go("orders", "mail")]))
    assert boxes["orders"] < boxes["[asset] sales"] < boxes["report"] < boxes["mail"]
    assert len(set(boxes.values())) == 5


def test_a_picture_of_a_circle_or_of_nothing_is_a_picture() -> None:
    assert len(_boxes(drawing_of(CIRCLE))) == 3
    assert _boxes(drawing_of([])) == {}
    assert "[asset] <b> &" in _boxes(drawing_of([on("a", "<b> &")]))


def test_an_alias_between_an_asset_and_a_dag_is_a_node_of_its_own() -> None:
    edges = [
        Dependency("dataset", "dataset-alias:al", "u", "dataset", "u"),
        Dependency("dataset:u", "a", "al", "dataset-alias", "al"),
    ]
    labels = {drawing_of(edges).label(node) for node in drawing_of(edges).nodes}
    assert labels == {"[dataset] u", "[dataset-alias] al", "a"}
