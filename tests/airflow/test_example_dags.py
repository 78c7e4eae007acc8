"""Airflow's own example DAGs come back from the catalog as they went in, all of them."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from dagcatalog_client import Client
from tests.airflow.conftest import Judge, Load, documents_of

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(300)]

BUNDLES = ("example-dags", "standard-example-dags")


@pytest.mark.parametrize("bundle", BUNDLES)
def test_every_example_dag_comes_back_identical_and_equal(
    bundle: str,
    example_folders: Mapping[str, Path],
    load: Load,
    judge: Judge,
    client: Client,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = example_folders[bundle]
    loaded = load("--bundle", bundle, folder)
    assert loaded.code == 0, loaded.report["failures"]

    documents = documents_of(client, bundle)
    judged = judge(folder, documents)
    assert judged["errors"] == {}
    assert documents.keys() == judged["dags"].keys() == loaded.outcomes.keys()
    identical = {name for name, dag in judged["dags"].items() if dag["identical"]}
    equal = {name for name, dag in judged["dags"].items() if not dag["differences"]}
    with capsys.disabled():
        sizes = sorted(len(document) for document in documents.values())
        print(
            f"\n{bundle}: {len(documents)} DAGs that Airflow parses, {len(identical)} come back "
            f"byte-identical, {len(equal)} deserialize into an equal DAG "
            f"({sum(dag['values'] for dag in judged['dags'].values()):,} values compared; "
            f"{sum(sizes):,} bytes, median {sizes[len(sizes) // 2]:,}, largest {sizes[-1]:,})"
        )
        print("  " + " ".join(sorted(documents)))
    assert identical == judged["dags"].keys()
    assert {n: d["differences"] for n, d in judged["dags"].items() if d["differences"]} == {}


@pytest.mark.parametrize("bundle", BUNDLES)
def test_loading_again_writes_nothing(
    bundle: str,
    example_folders: Mapping[str, Path],
    load: Load,
    client: Client,
    capsys: pytest.CaptureFixture[str],
) -> None:
    load("--bundle", bundle, example_folders[bundle])
    before = client.status()
    for seed in ("1", "4242"):
        again = load(
            "--bundle", bundle, example_folders[bundle], environment={"PYTHONHASHSEED": seed}
        )
        assert set(again.outcomes.values()) == {"UNCHANGED"}
    after = client.status()
    assert after.position == before.position
    assert (after.blob_count, after.stored_bytes) == (before.blob_count, before.stored_bytes)
    with capsys.disabled():
        print(
            f"\n{bundle}: loaded twice more, {len(again.outcomes)} DAGs UNCHANGED each time, "
            f"revision {before.position.revision} -> {after.position.revision}"
        )
