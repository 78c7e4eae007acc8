"""Reads out of a document what lists and views need, so that they never touch a blob.

A document is whatever some Airflow wrote, so nothing here may fail on a surprising type: what is
not understood is left empty. Shapes were read off Airflow 3.3.2 (format 3) and 2.11.2 (format 1).
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from dagcatalog_server.catalog.canonical import Json
from dagcatalog_server.catalog.model import Dependency, Projection
from dagcatalog_server.catalog.schedule import read_schedule

DEFAULT_OWNER = "airflow"  # [operators] default_owner; format 3 leaves the default out
MAX_TEXT = 10_000
MAX_DEPENDENCIES = 10_000


def project(tree: Mapping[str, Json]) -> Projection:
    """Read the index columns out of a document whose `dag` is an object."""
    dag: Mapping[str, Json] = tree["dag"]
    tasks = list(_tasks(dag))
    return Projection(
        display_name=_text(dag.get("dag_display_name"))
        or _text(dag.get("_dag_display_property_value")),
        description=_text(dag.get("description")),
        tags=_texts(_unwrap(dag.get("tags"))),
        owners=_owners(dag, tasks),
        schedule=read_schedule(dag),
        fileloc=_text(dag.get("fileloc")),
        task_count=len(tasks),
        operators=_texts([_operator(task) for task in tasks]),
        dependencies=tuple(_dependencies(dag)),
        start_date=_date(dag.get("start_date")),
        end_date=_date(dag.get("end_date")),
        catchup=_flag(dag.get("catchup")),
        paused_at_creation=_flag(dag.get("is_paused_upon_creation")),
        serialization_version=_small_integer(tree.get("__version")),
    )


def relative_file(tree: Mapping[str, Json]) -> str:
    """Read where the document says its file is: inside its bundle, else the absolute path."""
    dag = tree["dag"]
    return _text(dag.get("relative_fileloc")) or _text(dag.get("fileloc"))


def _tasks(dag: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    tasks = dag.get("tasks")
    for task in tasks if isinstance(tasks, list) else ():
        inner = _unwrap(task)
        if isinstance(inner, dict):
            yield inner


def _owners(dag: Mapping[str, Json], tasks: list[Mapping[str, Json]]) -> tuple[str, ...]:
    defaults = _unwrap(dag.get("default_args"))
    default = _text(defaults.get("owner")) if isinstance(defaults, dict) else ""
    return _texts([_own(task, "owner") or default or DEFAULT_OWNER for task in tasks])


def _operator(task: Mapping[str, Json]) -> str:
    shown = task.get("_operator_name")
    shown = _text(shown) if shown else ""
    return shown or _own(task, "task_type") or _text(task.get("_task_type"))


def _own(task: Mapping[str, Json], name: str) -> str:
    """Read a text of a task; a mapped task keeps it in partial_kwargs."""
    if own := task.get(name):
        return _text(own) or _inherited(task, name)
    return _inherited(task, name)


def _inherited(task: Mapping[str, Json], name: str) -> str:
    if "partial_kwargs" not in task:
        return ""
    partial = _unwrap(task["partial_kwargs"])
    return _text(_unwrap(partial.get(name))) if isinstance(partial, dict) else ""


def _dependencies(dag: Mapping[str, Json]) -> Iterator[Dependency]:
    edges = dag.get("dag_dependencies")
    for edge in edges[:MAX_DEPENDENCIES] if isinstance(edges, list) else ():
        if isinstance(edge, dict):
            yield Dependency(
                source=_text(edge.get("source")),
                target=_text(edge.get("target")),
                label=_text(edge.get("label")),
                dependency_type=_text(edge.get("dependency_type")),
                dependency_id=_text(edge.get("dependency_id")),
            )


def _unwrap(value: Json) -> Json:
    return value["__var"] if isinstance(value, dict) and "__var" in value else value


def _text(value: Json) -> str:
    return value.replace("\0", "\ufffd")[:MAX_TEXT] if isinstance(value, str) else ""


def _texts(values: Json) -> tuple[str, ...]:
    if not isinstance(values, list):
        return ()
    # Alike ones are few: thousands of tasks have some owners and operators between them.
    distinct = {value for value in values if isinstance(value, str)}
    return tuple(sorted({_text(value) for value in distinct} - {""}))


def _flag(value: Json) -> bool | None:
    return value if isinstance(value, bool) else None


def _small_integer(value: Json) -> int:
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
    return value if fits else 0


def _date(value: Json) -> datetime | None:
    """Read seconds since 1970 (every format that is supported writes dates so)."""
    seconds = _unwrap(value)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
