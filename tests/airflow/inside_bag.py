"""Runs inside the Airflow environment: are the DAGs of a bag those that Airflow makes itself?

    python inside_bag.py ADDRESS FOLDERS RESULT

FOLDERS is JSON, bundle to folder. First every DAG is taken out of bags, pinned and live, while every
SQLite database that is opened is noted; then Airflow parses the folders on its own, and each DAG is
compared, field by field. RESULT is JSON.
"""

import json
import sqlite3
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from dagcatalog_airflow import CatalogDagBag
from dagcatalog_client import Client, Informer
from tests.airflow.inside import Walk, against_the_original


def main(address: str, folders_file: str, result_file: str) -> None:
    opened: list[str] = []
    sys.addaudithook(lambda event, _: opened.append(event) if event == "sqlite3.connect" else None)
    with Client(address) as client, Informer(client) as informer:
        informer.wait_for_sync(30)
        bag, live = CatalogDagBag(client), CatalogDagBag(informer)
        summaries, names = dict(bag.summaries), sorted(bag)
        imported_before = sorted({"airflow", "sqlalchemy"} & sys.modules.keys())
        bag[names[0]]  # the import of Airflow is not what is timed
        began_s = time.perf_counter()
        dags = dict(bag.items())
        cold_s = time.perf_counter() - began_s
        began_s = time.perf_counter()
        again = dict(bag.items())
        warm_s = time.perf_counter() - began_s
        shared = all(again[name] is dag for name, dag in dags.items())
        lives = dict(live.items())
    opened_by_bags = list(opened)
    sqlite3.connect(":memory:").close()
    found = {
        "imported_before": imported_before,
        "opened_by_bags": opened_by_bags,
        "opened_to_see_that_it_is_noted": opened[len(opened_by_bags) :],
        "models": sorted(name for name in sys.modules if name == "airflow.models.serialized_dag"),
        "document_bytes": sum(one.document_bytes for one in summaries.values()),
        "cold_s": cold_s,
        "warm_s": warm_s,
        "shared": shared,
        "dags": compared(json.loads(Path(folders_file).read_text()), dags, lives),
    }
    Path(result_file).write_text(json.dumps(found))


def compared(folders: dict[str, str], dags: dict[str, Any], lives: dict[str, Any]) -> Any:
    """Compare with what Airflow parses, serializes and deserializes."""
    serialization: Any = import_module("airflow.serialization.serialized_objects")
    serializer = serialization.DagSerialization
    dagbag: Any = import_module("airflow.dag_processing.dagbag")
    found = {}
    for bundle, folder in folders.items():
        sys.path.append(folder)
        own = dagbag.DagBag(folder, bundle_path=Path(folder), bundle_name=bundle)
        assert own.import_errors == {}, own.import_errors
        for name, dag in own.dags.items():
            document = json.loads(json.dumps(serializer.to_dict(dag)))
            reference = serializer.from_dict(document)
            walks = [Walk(), Walk()]
            walks[0].compare(reference, dags.get(name), "dag")
            walks[1].compare(reference, lives.get(name), "dag")
            found[name] = {
                "values": walks[0].values,
                "differences": walks[0].differences
                + walks[1].differences
                + against_the_original(dag, dags[name]),
            }
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
