"""The only module that calls Airflow: it makes a DAG of a document, without a database.

`Any` is Airflow's: this package is checked without it.
"""

import importlib
import json
import re
from dataclasses import dataclass
from typing import Any, Protocol

from dagcatalog_airflow.errors import AirflowUnusable


class Deserializer(Protocol):
    """Makes a DAG of a document."""

    @property
    def version(self) -> str:
        """Airflow's version."""

    def __call__(self, document: bytes, /) -> Any:
        """Return the DAG of a document; called by one thread at a time."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Where a range of Airflow releases has the class that deserializes."""

    since: tuple[int, int]
    before: tuple[int, int]
    module: str
    name: str


# Read in the sources of 2.11.2, 3.0.6, 3.1.8, 3.2.2 and 3.3.2; run by tests on 3.3.2 only.
SHAPES = (
    Shape((3, 2), (4, 0), "airflow.serialization.serialized_objects", "DagSerialization"),
    Shape((2, 11), (3, 2), "airflow.serialization.serialized_objects", "SerializedDAG"),
)


def shape_of(version: str) -> Shape:
    """Choose by Airflow's version.

    Raises:
        AirflowUnusable: no shape is known for it.

    """
    numbers = re.match(r"(\d+)\.(\d+)", version)
    release = (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
    for shape in SHAPES:
        if shape.since <= release < shape.before:
            return shape
    raise AirflowUnusable(f"Airflow {version} is not known here: 2.11 and 3 are")


class AirflowDeserializer:
    """The Airflow of this interpreter, imported when the first document comes: that takes seconds."""

    def __init__(self) -> None:
        self._version = ""
        self._serialization: Any = None

    @property
    def version(self) -> str:
        """Airflow's version; empty until it is imported."""
        return self._version

    def __call__(self, document: bytes, /) -> Any:
        """Deserialize with the operators' links.

        Whether links are loaded is a switch of Airflow's class, which its own code sets before each
        use. It is put back, so that nobody else meets ours.
        """
        serialization = self._loaded()
        switch = serialization._load_operator_extra_links
        serialization._load_operator_extra_links = True
        try:
            return serialization.from_dict(json.loads(document))
        finally:
            serialization._load_operator_extra_links = switch

    def _loaded(self) -> Any:
        if self._serialization is None:
            try:
                self._version = str(importlib.import_module("airflow").__version__)
                shape = shape_of(self._version)
                self._serialization = getattr(importlib.import_module(shape.module), shape.name)
            except (ImportError, AttributeError) as error:
                raise AirflowUnusable(f"a DAG needs Airflow beside dagcatalog: {error}") from error
        return self._serialization
