"""Stands in for Airflow where a bag is tested without it: makes a DAG of a document, and counts."""

import json
import threading
from dataclasses import dataclass, field


@dataclass(eq=False)
class StandInDag:
    """What is made of a document."""

    dag_id: str
    task_ids: list[str]


@dataclass
class StandInAirflow:
    """A deserializer; it refuses documents that have the description "refuse"."""

    made: list[str] = field(default_factory=list)
    version: str = "9.9"
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released by each call that begins."""
    going_on: threading.Event = field(default_factory=threading.Event)
    """No call ends before it is set."""

    def __post_init__(self) -> None:
        self.going_on.set()

    def __call__(self, document: bytes, /) -> StandInDag:
        self.entered.release()
        assert self.going_on.wait(30)
        dag = json.loads(document)["dag"]
        if dag.get("description") == "refuse":
            raise ValueError("Unsure how to deserialize version 9")
        self.made.append(dag["dag_id"])
        return StandInDag(dag["dag_id"], [task["__var"]["task_id"] for task in dag["tasks"]])
