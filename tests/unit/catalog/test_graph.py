"""The graph between DAGs, from edges as Airflow 3 and Airflow 2 write them."""

import itertools
import json
from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from dagcatalog_server.catalog.graph import DagGraph
from dagcatalog_server.catalog.model import Dependency


def asset_key(name: str, uri: str = "") -> str:
    return json.dumps({"name": name, "uri": uri or f"s3://{name}"})


def out(dag_id: str, name: str) -> Dependency:
    return Dependency(dag_id, "asset", name, "asset", asset_key(name))


def on(dag_id: str, name: str) -> Dependency:
    return Dependency("asset", dag_id, name, "asset", asset_key(name))


def trigger(source: str, target: str, task: str = "go") -> Dependency:
    return Dependency(source, target, task, "trigger", task)


def sensor(source: str, target: str) -> Dependency:
    return Dependency(source, target, "wait", "sensor", "wait")


def graph(**written: Sequence[Dependency]) -> DagGraph:
    return DagGraph(written)


def reached(of: DagGraph, dag_id: str, max_depth: int | None = None) -> list[tuple[str, int]]:
    return [(one.dag_id, one.depth) for one in of.impact(dag_id, max_depth)]


def test_triggers_and_sensors_lead_from_dag_to_dag() -> None:
    found = graph(a=[trigger("a", "b")], b=[], c=[sensor("b", "c")])
    assert reached(found, "a") == [("b", 1), ("c", 2)]
    assert [one.path for one in found.impact("a")] == [
        (trigger("a", "b"),),
        (trigger("a", "b"), sensor("b", "c")),
    ]
    assert reached(found, "c") == []


def test_an_asset_is_one_step_between_two_dags() -> None:
    found = graph(a=[out("a", "x")], b=[on("b", "x"), out("b", "y")], c=[on("c", "y")], d=[])
    assert reached(found, "a") == [("b", 1), ("c", 2)]
    (_, far) = found.impact("a")
    assert far.path == (out("a", "x"), on("b", "x"), out("b", "y"), on("c", "y"))


def test_assets_are_told_apart_by_what_identifies_them_and_not_by_their_label() -> None:
    one, other = asset_key("x", "s3://one"), asset_key("x", "s3://other")
    found = graph(
        a=[Dependency("a", "asset", "x", "asset", one)],
        b=[Dependency("asset", "b", "x", "asset", other)],
    )
    assert reached(found, "a") == []


def test_an_alias_is_met_by_name() -> None:
    found = graph(
        a=[Dependency("a", "asset-alias", "al", "asset-alias", "al")],
        b=[Dependency("asset-alias", "b", "al", "asset-alias", "al")],
    )
    assert reached(found, "a") == [("b", 1)]


def test_a_reference_is_met_by_the_assets_name_or_uri() -> None:
    found = graph(
        a=[out("a", "x")],
        by_name=[Dependency("asset-name-ref", "by_name", "x", "asset-name-ref", "x")],
        by_uri=[Dependency("asset-uri-ref", "by_uri", "s3://x", "asset-uri-ref", "s3://x")],
        other=[Dependency("asset-name-ref", "other", "y", "asset-name-ref", "y")],
    )
    assert reached(found, "a") == [("by_name", 1), ("by_uri", 1)]


def test_datasets_of_airflow_2_with_resolved_aliases() -> None:
    """As 2.11 writes them: the alias lies between the dataset and the DAG."""
    uri = "s3://x"
    found = graph(
        a=[
            Dependency("a", "dataset-alias:al", "al", "dataset-alias", "al"),
            Dependency("dataset-alias:al", "dataset", uri, "dataset", uri),
        ],
        b=[Dependency("dataset", "b", uri, "dataset", uri)],
        c=[
            Dependency("dataset", "dataset-alias:al2", uri, "dataset", uri),
            Dependency(f"dataset:{uri}", "c", "al2", "dataset-alias", "al2"),
        ],
    )
    assert reached(found, "a") == [("b", 1), ("c", 1)]


def test_a_dataset_of_airflow_2_meets_the_asset_of_airflow_3_that_has_its_uri() -> None:
    found = graph(
        old=[Dependency("old", "dataset", "s3://x", "dataset", "s3://x")],
        new=[on("new", "x"), out("new", "y")],
        older=[Dependency("dataset", "older", "s3://y", "dataset", "s3://y")],
    )
    assert reached(found, "old") == [("new", 1), ("older", 2)]


def test_circles_end() -> None:
    found = graph(
        a=[trigger("a", "b"), trigger("a", "a")],
        b=[out("b", "x"), sensor("c", "b")],
        c=[on("c", "x"), trigger("c", "a")],
    )
    assert reached(found, "a") == [("b", 1), ("c", 2)]
    assert reached(found, "b") == [("c", 1), ("a", 2)]


def test_the_depth_is_bounded_by_dags_not_by_edges() -> None:
    names = [f"d{number}" for number in range(6)]
    chain = {
        name: [on(name, name), out(name, following)]
        for name, following in itertools.pairwise(names)
    }
    found = DagGraph({**chain, "d5": [on("d5", "d5")]})
    assert reached(found, "d0", 2) == [("d1", 1), ("d2", 2)]
    assert len(reached(found, "d0")) == 5


def test_a_dag_that_is_not_there_is_not_reached_and_leads_nowhere() -> None:
    found = graph(a=[trigger("a", "gone")], b=[sensor("gone", "b")])
    assert reached(found, "a") == []
    assert found.around("gone") == [trigger("a", "gone"), sensor("gone", "b")]


def test_every_edge_is_there_once() -> None:
    twice = [out("a", "x"), out("a", "x"), trigger("a", "b"), trigger("a", "b", "again")]
    found = graph(a=twice, b=[])
    assert found.edges == [out("a", "x"), trigger("a", "b", "again"), trigger("a", "b")]


def test_around_a_dag_are_both_halves_of_its_ways_over_assets() -> None:
    found = graph(
        a=[out("a", "x")],
        also=[out("also", "x")],
        b=[on("b", "x"), out("b", "y"), trigger("b", "c")],
        c=[on("c", "y")],
        d=[on("d", "x")],
        far=[sensor("c", "far")],
    )
    assert set(found.around("b")) == {
        out("a", "x"), out("also", "x"), on("b", "x"), out("b", "y"), on("c", "y"), trigger("b", "c"),
    }  # fmt: skip
    assert set(found.around("a")) == {out("a", "x"), on("b", "x"), on("d", "x")}


def test_a_type_of_another_airflow_is_between_two_dags() -> None:
    edge = Dependency("a", "b", "odd", "my-detector", "7")
    assert reached(graph(a=[edge], b=[]), "a") == [("b", 1)]


NAMES = st.sampled_from("abcdef")
EDGES = st.one_of(
    st.builds(trigger, NAMES, NAMES),
    st.builds(sensor, NAMES, NAMES),
    st.builds(out, NAMES, st.sampled_from("xyz")),
    st.builds(on, NAMES, st.sampled_from("xyz")),
)


@given(st.lists(EDGES, max_size=14))
def test_what_is_reached_is_what_a_walk_over_pairs_of_dags_finds(edges: list[Dependency]) -> None:
    found = DagGraph({"a": edges, **{name: [] for name in "bcde"}})  # f is not there
    pairs = {(one.source, one.target) for one in edges if one.dependency_type != "asset"}
    outs = {(one.source, one.label) for one in edges if one.target == "asset"}
    ons = {(one.label, one.target) for one in edges if one.source == "asset"}
    pairs |= {(dag, other) for dag, asset in outs for name, other in ons if name == asset}
    depths = _depths(pairs)
    assert reached(found, "a") == sorted(depths.items(), key=lambda one: (one[1], one[0]))
    for one in found.impact("a"):
        _check_path(one.path, one.dag_id)


def _depths(pairs: set[tuple[str, str]]) -> Mapping[str, int]:
    depths, level, depth = {"a": 0}, {"a"}, 0
    while level:
        depth += 1
        level = {to for come, to in pairs if come in level and to in "bcde"} - depths.keys()
        depths |= dict.fromkeys(level, depth)
    del depths["a"]
    return depths


def _check_path(path: Sequence[Dependency], last: str) -> None:
    """A way begins at a, ends at the DAG, and has no gap."""
    at = "a"
    for edge in path:
        if edge.source == "asset":
            assert at == f"asset {edge.dependency_id}"
        else:
            assert edge.source == at
        at = f"asset {edge.dependency_id}" if edge.target == "asset" else edge.target
    assert at == last
