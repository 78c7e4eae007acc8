"""Serialized DAGs as JSON: written by a child, or read from a file."""

from __future__ import annotations

import json
import math
from typing import Any

from dagcatalog_client.parse.model import Failure, FailureKind, FileOutcome, ParsedDag


class NotJson(ValueError):
    """A document holds a value that JSON has no form for. `path` tells where."""

    def __init__(self, path: str, said: str) -> None:
        super().__init__(f"{said} at {path}" if path else said)
        self.path = path


def dump(document: Any) -> bytes:  # Any: what Airflow's serialization gives
    """Write a document as JSON in UTF-8.

    Raises:
        NotJson: it holds NaN, an infinity, a lone surrogate, or an object that is no JSON.

    """
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8")
    except (ValueError, TypeError, RecursionError) as error:
        path, said = _unsuitable(document) or ("", str(error))
        raise NotJson(path, said) from error


def read(data: bytes) -> FileOutcome:
    """Read a file that holds one serialized DAG, `{"__version": …, "dag": {…}}`.

    The bytes go to the catalog as they are: it judges them, and tells what is wrong by path.
    """
    try:
        document = json.loads(data)
    except json.JSONDecodeError as error:
        return _failed(f"the file is not JSON: {error.msg}", line=error.lineno)
    except (ValueError, RecursionError) as error:
        return _failed(f"the file is not JSON: {error}")
    dag = document.get("dag") if isinstance(document, dict) else None
    dag_id = (dag.get("dag_id") or dag.get("_dag_id")) if isinstance(dag, dict) else None
    if not isinstance(dag_id, str):
        return _failed("the file is not a serialized DAG: there is no dag.dag_id")
    return FileOutcome(dags=(ParsedDag(dag_id, data),))


def looks_serialized(data: bytes) -> bool:
    """Tell whether a JSON file in a folder of DAGs may be a document, and not a configuration."""
    return b'"__version"' in data and b'"dag"' in data


def _failed(message: str, *, line: int = 0) -> FileOutcome:
    return FileOutcome(failure=Failure(FailureKind.SYNTAX, message, line=line))


def _unsuitable(root: Any) -> tuple[str, str] | None:
    """Find the first value that is no JSON; not recursive, as the document may be deep."""
    waiting: list[tuple[str, Any]] = [("", root)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, float) and not math.isfinite(value):
            return path, f"the number {value}, which JSON does not have,"
        if isinstance(value, str):
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                return path, "a lone surrogate, which UTF-8 does not have,"
        elif isinstance(value, dict):
            # Airflow's keys are enum members that are also strings.
            inside = [
                (f"{path}.{getattr(key, 'value', key)}".lstrip("."), value[key]) for key in value
            ]
            waiting += [*reversed(inside), *((f"{path}(key)", key) for key in value)]
        elif isinstance(value, (list, tuple)):
            waiting += reversed([(f"{path}[{n}]", item) for n, item in enumerate(value)])
        elif not isinstance(value, (int, float, type(None))):
            return path, f"an object of type {type(value).__name__}, which JSON does not have,"
    return None
