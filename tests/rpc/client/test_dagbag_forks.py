"""A bag whose process forks: the child has what is here, and is refused the rest."""

import faulthandler
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from dagcatalog_airflow import CatalogDagBag
from dagcatalog_client import Client, ForkedChild, PutItem
from dagcatalog_client.informer import forks
from tests.support.dags import dag_document
from tests.support.stand_in_airflow import StandInAirflow

PATIENCE_S = 30.0
FINE = 77
# Python 3.12 warns of every fork beside threads, and grpc has some; that it goes well is what is tested.
FORKS = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture
def airflow() -> StandInAirflow:
    return StandInAirflow()


@pytest.fixture(autouse=True)
def two_dags(client: Client) -> None:
    client.put_batch([PutItem(name, dag_document(name)) for name in ("etl", "report")])


@FORKS
def test_a_forked_child_has_what_is_here_and_is_refused_the_rest(
    client: Client, airflow: StandInAirflow
) -> None:
    bag = CatalogDagBag(client, deserialize=airflow)
    kept = bag["etl"]

    def look() -> None:
        assert bag["etl"] is kept
        assert list(bag) == ["etl", "report"]
        with pytest.raises(ForkedChild):
            bag["report"]

    in_child(look)
    assert bag["report"].dag_id == "report"


@FORKS
def test_a_child_does_not_wait_for_a_dag_that_a_thread_of_its_parent_was_making(
    client: Client, airflow: StandInAirflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forks, "PATIENCE_S", 0.05)
    bag = CatalogDagBag(client, deserialize=airflow)
    etl, report = client.get("etl"), client.get("report")
    airflow.going_on.clear()
    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(bag._deserialized.make, etl.summary, etl.document)
        assert airflow.entered.acquire(timeout=PATIENCE_S)

        def make_another() -> None:
            airflow.going_on.set()
            assert bag._deserialized.make(report.summary, report.document).dag_id == "report"

        in_child(make_another)
        airflow.going_on.set()
        assert making.result(PATIENCE_S) is bag["etl"]


def in_child(work: Callable[[], None]) -> None:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            faulthandler.dump_traceback_later(20, exit=True)
            work()
            code = FINE
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == FINE
