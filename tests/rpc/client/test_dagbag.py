"""A bag of DAGs over a real server: a mapping, pinned or live, that reads no more than it must."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import dagcatalog_airflow.sources
from dagcatalog_airflow import CatalogDagBag, DagMissing, DocumentUnreadable
from dagcatalog_client import (
    Client,
    ContentNotFound,
    DagNotFound,
    DagProfile,
    Informer,
    NotSynced,
    Position,
    PutItem,
    RevisionCompacted,
    RevisionInFuture,
    VersionNotFound,
)
from tests.support.dags import dag_document
from tests.support.server import running_server
from tests.support.stand_in_airflow import StandInAirflow, StandInDag
from tests.support.waiting import wait_until

PATIENCE_S = 30.0


@pytest.fixture
def airflow() -> StandInAirflow:
    return StandInAirflow()


@pytest.fixture
def start(client: Client) -> Position:
    """Two DAGs."""
    items = [PutItem(name, dag_document(name)) for name in ("etl", "report")]
    return client.put_batch(items).position


@pytest.fixture
def informer(client: Client, start: Position) -> Iterator[Informer]:
    with Informer(client) as opened:
        opened.wait_for_sync(PATIENCE_S)
        yield opened


@pytest.fixture(params=["client", "informer"])
def bag(
    request: pytest.FixtureRequest, client: Client, start: Position, airflow: StandInAirflow
) -> CatalogDagBag:
    catalog = client if request.param == "client" else request.getfixturevalue("informer")
    return CatalogDagBag(catalog, deserialize=airflow)


def change(client: Client) -> Position:
    """Give etl another task, drop report, add third."""
    client.put("etl", dag_document("etl", tasks=["extract", "load"]))
    client.delete("report")
    return client.put("third", dag_document("third")).position


def tasks(bag: Mapping[str, StandInDag]) -> dict[str, list[str]]:
    return {dag_id: dag.task_ids for dag_id, dag in bag.items()}


def test_it_is_a_mapping_of_dag_ids_to_dags(bag: CatalogDagBag, start: Position) -> None:
    assert list(bag) == ["etl", "report"]
    assert [dag.dag_id for dag in bag.values()] == ["etl", "report"]
    assert dict(bag) == dict(bag.items()) == {name: bag[name] for name in bag}
    assert len(bag) == 2
    assert bag.keys() == {"etl", "report"}
    assert bag["etl"].task_ids == ["extract"]
    assert bag.get("missing") is None
    assert bag["etl"] in bag.values()
    assert bag.position == start
    assert list(bag.summaries) == ["etl", "report"]
    assert bag.summaries["etl"].task_count == 1


def test_what_needs_no_dag_makes_none(bag: CatalogDagBag, airflow: StandInAirflow) -> None:
    assert "etl" in bag
    assert "missing" not in bag
    nothing: object = 7
    assert nothing not in bag.keys()  # noqa: SIM118 - typed for any object
    assert (len(bag), len(list(bag)), len(bag.summaries)) == (2, 2, 2)
    assert bag != bag.at(bag.position)  # a mapping would compare every DAG
    assert {bag: "hashed"}[bag]
    assert repr(bag).startswith("<CatalogDagBag of 'what-needs-no-dag-makes-none")
    assert airflow.made == []


def test_a_dag_is_made_once_and_shared(bag: CatalogDagBag, airflow: StandInAirflow) -> None:
    first = bag["etl"]

    assert bag["etl"] is first
    assert next(iter(bag.values())) is first
    assert bag.at(bag.position)["etl"] is first
    assert bag.version("etl", 1) is first
    assert airflow.made == ["etl"]


def test_dags_are_made_as_the_iteration_reaches_them(
    bag: CatalogDagBag, airflow: StandInAirflow
) -> None:
    walk = iter(bag.values())
    assert airflow.made == []
    next(walk)
    assert airflow.made == ["etl"]


def test_a_missing_dag_is_a_key_error_that_says_where(bag: CatalogDagBag, client: Client) -> None:
    with pytest.raises(KeyError) as caught:
        bag["missing"]

    error = caught.value
    assert isinstance(error, DagMissing)
    assert (error.namespace, error.dag_id) == (client.namespace, "missing")
    assert error.position == bag.position
    assert str(error) == (
        f"no DAG 'missing' in namespace {client.namespace!r} at revision {bag.position.revision}"
    )


def test_over_a_client_it_stays_at_its_revision(
    client: Client, start: Position, airflow: StandInAirflow
) -> None:
    bag = CatalogDagBag(client, deserialize=airflow)
    now = change(client)

    assert bag.position == start
    assert tasks(bag) == {"etl": ["extract"], "report": ["extract"]}
    assert bag["report"].dag_id == "report"
    assert "third" not in bag
    assert tasks(bag.at(now)) == {"etl": ["extract", "load"], "third": ["extract"]}
    assert CatalogDagBag(client, deserialize=airflow).position == now


def test_a_bag_of_the_past_by_position_or_revision(bag: CatalogDagBag, client: Client) -> None:
    start = bag.position
    change(client)
    for at in (start, start.revision):
        past = bag.at(at)
        assert past.position == start
        assert tasks(past) == {"etl": ["extract"], "report": ["extract"]}
    assert CatalogDagBag(client, at=start).position == start
    with pytest.raises(RevisionInFuture):
        bag.at(start.revision + 1_000_000)


def test_over_an_informer_it_is_the_present(
    client: Client, informer: Informer, airflow: StandInAirflow
) -> None:
    bag = CatalogDagBag(informer, deserialize=airflow)
    assert bag["etl"].task_ids == ["extract"]
    walk, summaries = bag.items(), bag.summaries
    begun = iter(walk)
    assert next(begun)[0] == "etl"

    now = change(client)
    informer.wait_for(now, PATIENCE_S)

    assert bag.position == now
    assert bag["etl"].task_ids == ["extract", "load"]
    assert bag.keys() == {"etl", "third"}
    # An iteration, and summaries that were taken, are of their own revision to the end.
    assert [dag_id for dag_id, _ in begun] == ["report"]
    assert list(summaries) == ["etl", "report"]


def test_a_bag_of_an_informer_can_begin_in_the_past(
    client: Client, informer: Informer, start: Position, airflow: StandInAirflow
) -> None:
    informer.wait_for(change(client), PATIENCE_S)

    bag = CatalogDagBag(informer, at=start, deserialize=airflow)

    assert tasks(bag) == {"etl": ["extract"], "report": ["extract"]}


def test_the_past_of_an_informer_is_in_its_form(client: Client, start: Position) -> None:
    seen: list[bytes] = []

    class Keeping(StandInAirflow):
        def __call__(self, document: bytes, /) -> StandInDag:
            seen.append(document)
            return super().__call__(document)

    start = client.put("etl", dag_document("etl", padding="For people.")).position
    trimmed = client.get("etl", profile=DagProfile.SCHEDULER).document
    followed = Informer(client, profile=DagProfile.SCHEDULER, dag_id_prefix="e")
    with followed:
        followed.wait_for_sync(PATIENCE_S)
        bag = CatalogDagBag(followed, memory_bytes=0, deserialize=Keeping())
        assert list(bag.at(start)) == list(bag) == ["etl"]
        assert bag["etl"].dag_id == bag.at(start)["etl"].dag_id == "etl"
        assert bag.version("etl", bag.summaries["etl"].version).dag_id == "etl"
    assert seen == [trimmed] * 3
    assert trimmed != client.get("etl").document


def test_every_version_can_be_had(bag: CatalogDagBag, client: Client) -> None:
    change(client)

    assert bag.version("etl", 1).task_ids == ["extract"]
    assert bag.version("etl", 2).task_ids == ["extract", "load"]
    assert bag.version("report", 1).dag_id == "report"
    with pytest.raises(VersionNotFound):
        bag.version("etl", 3)
    with pytest.raises(DagNotFound):
        bag.version("missing", 1)


def test_documents_come_in_batches_and_what_memory_dropped_comes_again(
    client: Client, airflow: StandInAirflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"d{number:02}" for number in range(25)]
    client.put_batch([PutItem(name, dag_document(name)) for name in names])
    monkeypatch.setattr(dagcatalog_airflow.sources, "BATCH", 10)
    monkeypatch.setattr(dagcatalog_airflow.sources, "PAGE", 7)
    document_bytes = len(client.get("d00").document)
    bag = CatalogDagBag(client, memory_bytes=5 * document_bytes, deserialize=airflow)
    assert bag["d09"].dag_id == "d09"  # there when its batch begins, dropped before its turn

    assert [dag.dag_id for dag in bag.values()] == names
    assert airflow.made == ["d09", *names]


def test_an_unreadable_document_leaves_the_others_alone(
    bag: CatalogDagBag, client: Client, informer: Informer, airflow: StandInAirflow
) -> None:
    informer.wait_for(
        client.put("etl", dag_document("etl", description="refuse")).position, PATIENCE_S
    )
    now = bag.at(client.status().position)

    with pytest.raises(
        DocumentUnreadable, match=r"Airflow 9\.9 cannot deserialize DAG 'etl'"
    ) as it:
        now["etl"]
    assert it.value.content_hash == client.get("etl").summary.content_hash
    assert it.value.serialization_version == 3
    assert now["report"].dag_id == "report"
    assert len(now) == 2


def test_a_revision_that_is_compacted_is_read_until_its_content_is_pruned(
    tmp_path: Path, airflow: StandInAirflow
) -> None:
    with running_server(tmp_path / "catalog.db") as alone, Client(alone.address) as client:
        client.put("etl", dag_document("etl"))
        bag = CatalogDagBag(client, memory_bytes=0, deserialize=airflow)
        client.put("etl", dag_document("etl", tasks=["extract", "load"]))
        now = client.put("etl", dag_document("etl", tasks=["extract", "load", "tell"])).position

        client.prune(compact_revision=now.revision)
        with pytest.raises(RevisionCompacted):
            bag.at(bag.position)
        assert tasks(bag) == {"etl": ["extract"]}

        client.prune(keep_versions=1)
        for read in (lambda: bag["etl"], lambda: dict(bag)):
            with pytest.raises(ContentNotFound):
                read()
        assert list(bag) == ["etl"]


def test_a_bag_is_of_one_namespace_that_is_followed(client: Client, informer: Informer) -> None:
    with pytest.raises(ValueError, match="one namespace"):
        CatalogDagBag(client, namespace="-")
    with pytest.raises(ValueError, match="does not follow namespace 'elsewhere'"):
        CatalogDagBag(informer, namespace="elsewhere")
    client.put("other", dag_document("other"), namespace="bag-elsewhere")
    assert list(CatalogDagBag(client, namespace="bag-elsewhere")) == ["other"]
    with Informer(client, namespaces=["-"]) as every:
        every.wait_for_sync(PATIENCE_S)
        wait_until(lambda: list(CatalogDagBag(every, namespace="bag-elsewhere")) == ["other"])


def test_an_informer_that_has_nothing_yet_says_so(client: Client) -> None:
    bag = CatalogDagBag(Informer(client))
    for ask in (lambda: bag.position, lambda: len(bag), lambda: bag["etl"], lambda: "etl" in bag):
        with pytest.raises(NotSynced):
            ask()
