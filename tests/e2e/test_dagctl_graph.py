"""dagctl graph, wait, get --profile, and the consumers of status."""

import json
import threading
from xml.etree import ElementTree as ET

from dagcatalog_client import Bookmark
from tests.support.dagctl import Dagctl
from tests.support.dags import consumes, dag_document, edge, produces


def _shop(dagctl: Dagctl) -> None:
    put = dagctl.client.put
    put("orders", dag_document("orders", edges=[produces("orders", "sales")]))
    put("report", dag_document("report", edges=[consumes("report", "sales")]))
    put("mail", dag_document("mail", edges=[edge("report", "mail", "sensor", "wait")]))
    put("alone", dag_document("alone"))


def test_graph_draws_a_namespace_and_a_neighbourhood(dagctl: Dagctl) -> None:
    _shop(dagctl)
    whole = dagctl("graph")
    assert (whole.returncode, whole.stdout) == (
        0,
        "orders\n└── [asset] sales\n    └── report\n        └── mail (sensor wait)\n",
    )
    assert dagctl("graph", "mail").stdout == "┌── report (sensor wait)\nmail\n"
    assert dagctl("graph", "alone").stdout == "alone\n"
    assert dagctl("graph", "-o", "name").stdout == "mail\norders\nreport\n"
    told = json.loads(dagctl("graph", "orders", "-o", "json").stdout)
    assert [(one["source"], one["target"]) for one in told] == [
        ("asset", "report"),
        ("orders", "asset"),
    ]
    missing = dagctl("graph", "nobody")
    assert (missing.returncode, missing.stdout) == (3, "")
    assert "no DAG named 'nobody'" in missing.stderr


def test_a_graph_without_an_edge_says_so(dagctl: Dagctl) -> None:
    dagctl.client.put("alone", dag_document("alone"))
    done = dagctl("graph")
    assert (done.stdout, done.stderr) == (
        "",
        f"no DAG of {dagctl.client.namespace} depends on another\n",
    )


def test_graph_tells_what_a_change_reaches(dagctl: Dagctl) -> None:
    _shop(dagctl)
    done = dagctl("graph", "orders", "--impact")
    assert done.stdout.splitlines() == [
        "orders",
        "└── [asset] sales",
        "    └── report",
        "        └── mail (sensor wait)",
        "a change of orders reaches 2 DAGs, in 2 steps",
    ]
    near = dagctl("graph", "orders", "--impact", "--depth", "1", "-o", "name")
    assert near.stdout == "report\n"
    told = json.loads(dagctl("graph", "orders", "--impact", "-o", "json").stdout)
    assert [(one["summary"]["dag_id"], one["depth"]) for one in told] == [
        ("report", 1),
        ("mail", 2),
    ]
    none = dagctl("graph", "alone", "--impact")
    assert none.stdout == "alone\na change of alone reaches no other DAG\n"
    for wrong in (["--impact"], ["orders", "--depth", "2"]):
        assert dagctl("graph", *wrong).returncode == 2


def test_graph_speaks_other_languages(dagctl: Dagctl) -> None:
    _shop(dagctl)
    assert dagctl("graph", "--format", "dot").stdout.startswith("digraph dags {\n")
    assert dagctl("graph", "--format", "mermaid").stdout.startswith("flowchart LR\n")
    picture = dagctl("graph", "orders", "--impact", "--format", "svg").stdout
    assert len(ET.fromstring(picture).findall("{http://www.w3.org/2000/svg}rect")) == 4


def test_wait_says_whether_a_revision_has_arrived(dagctl: Dagctl) -> None:
    position = dagctl.client.put("a", dag_document("a")).position
    done = dagctl("wait")
    assert done.returncode == 0
    assert done.stdout.startswith(f"revision {position.revision} has arrived at every consumer")
    with dagctl.client.watch(initial_state=True, consumer_id="web-1") as watch:
        for event in watch:
            if isinstance(event, Bookmark) and event.synced:
                break
        late = dagctl("wait", str(position.revision), "--for", "0")
        assert late.returncode == 1
        assert "CONSUMER" in late.stdout
        assert f"1 consumer has not acknowledged revision {position.revision}" in late.stdout
        assert dagctl("wait", "--for", "0", "-o", "name").stdout == "web-1\n"
        assert "web-1" in dagctl("status").stdout

        waiting = dagctl.start("wait", "--for", "60", "-o", "json")
        dagctl.client.acknowledge("web-1", event.position)
        told, _ = waiting.communicate(timeout=60)
        assert waiting.returncode == 0
        assert json.loads(told) == {
            "revision": position.revision, "propagated": True, "lagging": [],
        }  # fmt: skip
    dagctl.client.acknowledge("web-1", None)
    future = dagctl("wait", "999999")
    assert future.returncode == 1
    assert "is not there yet" in future.stderr
    assert dagctl("wait", "--for", "601").returncode == 2


def test_get_shows_what_a_profile_leaves(dagctl: Dagctl) -> None:
    dagctl.client.put("a", dag_document("a", padding="# a text", edges=[produces("a", "x")]))
    left = {
        profile: json.loads(dagctl("get", "a", "--profile", profile, "--raw").stdout)["dag"].keys()
        for profile in ("full", "webserver", "scheduler")
    }
    assert left["full"] - left["webserver"] == {"dag_dependencies"}
    assert left["full"] - left["scheduler"] == {"dag_dependencies", "doc_md"}
    assert dagctl("get", "a", "--profile", "worker").returncode == 2


def test_a_consumer_acknowledges_while_another_thread_watches(dagctl: Dagctl) -> None:
    """As a consumer does: one thread applies and acknowledges, whoever deploys waits."""
    synced = threading.Event()

    def consume() -> None:
        with dagctl.client.watch(initial_state=True, consumer_id="web-2") as watch:
            for event in watch:
                if isinstance(event, Bookmark) and event.synced:
                    synced.set()
                dagctl.client.acknowledge("web-2", event.position)
                if event.position.revision >= 1_000_000 or ended.is_set():
                    return

    ended = threading.Event()
    consumer = threading.Thread(target=consume)
    consumer.start()
    assert synced.wait(30)
    for number in range(3):
        position = dagctl.client.put("a", dag_document("a", tags=(str(number),))).position
        waited = dagctl.client.await_propagation(position, wait_s=30.0)
        assert (waited.propagated, waited.lagging) == (True, ())
    ended.set()
    dagctl.client.put("a", dag_document("a", tags=("last",)))
    consumer.join()
    dagctl.client.acknowledge("web-2", None)
