"""The only module that calls Airflow: finds DAG files, parses one, serializes a DAG.

Airflow's own classes do all of it, so that a file gives here what it gives in the dag processor.
`Any` is Airflow's: this package is checked without it.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagcatalog_client.parse.request import ParseRequest

TRACEBACK_FRAMES = "50"  # Airflow keeps 2, which hides the DAG file's own line behind a library's
# Imported before the fork if a file wants them: pure Python, no threads, no connections.
PRELOADED = re.compile(
    rb"^[ \t]*(?:from|import)[ \t]+"
    rb"(airflow\.(?:sdk|providers\.standard|timetables|utils)(?:\.\w+)*)",
    re.MULTILINE,
)
PRELOAD_READ_BYTES = 64 * 1024


@dataclass(frozen=True)
class BaggedDag:
    """A DAG of the file, and the path of the module that defines it."""

    dag_id: str
    fileloc: str
    dag: Any


@dataclass(frozen=True)
class Bag:
    """What Airflow found in one file; errors are paths with a traceback."""

    dags: tuple[BaggedDag, ...]
    errors: tuple[tuple[str, str], ...]


def load_airflow() -> str:
    """Import what parsing needs, which takes seconds; give Airflow's version.

    Raises:
        ImportError: there is no Airflow in this interpreter.

    """
    airflow = importlib.import_module("airflow")
    _dag_bag_class()
    _serializer()
    return str(airflow.__version__)


def preload(file: str) -> None:
    """Import the modules of Airflow that a file wants, so that each child finds them there."""
    with contextlib.suppress(OSError):
        with Path(file).open("rb") as opened:
            start = opened.read(PRELOAD_READ_BYTES)
        for module in PRELOADED.findall(start):
            with contextlib.suppress(Exception):
                importlib.import_module(module.decode("ascii"))


def find_files(root: str) -> list[str]:
    """List the files that Airflow would parse: it honours `.airflowignore` and opens archives."""
    safe_mode = _conf().getboolean("core", "dag_discovery_safe_mode")
    with contextlib.suppress(ImportError):
        importers: Any = importlib.import_module("airflow.dag_processing.importers")
        registry = importers.get_importer_registry()
        return [str(path) for path in registry.list_dag_files(root, safe_mode=safe_mode)]
    file: Any = importlib.import_module("airflow.utils.file")
    return [str(path) for path in file.list_py_file_paths(root, safe_mode=safe_mode)]


def parse_file(request: ParseRequest) -> Bag:
    """Parse one file. What it raises is in the result, but for what Airflow itself lets pass."""
    _prepare(request)
    if request.root not in sys.path:
        sys.path.append(request.root)  # as BundleDagBag does
    bag = _dag_bag_class()(
        dag_folder=request.file,
        load_op_links=False,
        **_bundle_arguments(request),
    )
    dags = [BaggedDag(str(dag.dag_id), str(dag.fileloc), dag) for dag in bag.dags.values()]
    return Bag(
        tuple(sorted(dags, key=lambda dag: dag.dag_id)),
        tuple(
            (str(Path(request.root) / path), str(trace))
            for path, trace in bag.import_errors.items()
        ),
    )


def serialize(dag: Any) -> Any:
    """Give the document, as Airflow would store it."""
    return _serializer().to_dict(dag)


def _prepare(request: ParseRequest) -> None:
    """Put Airflow's own limits and handlers out of the way: the keeper has better ones."""
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "client"  # no metadata database for Variable.get
    sys.dont_write_bytecode = True  # the folder is not ours
    _silence("airflow.dag_processing", "airflow.models.dagbag")
    _conf().set("core", "dagbag_import_error_tracebacks", "True")
    _conf().set("core", "dagbag_import_error_traceback_depth", TRACEBACK_FRAMES)
    settings: Any = importlib.import_module("airflow.settings")
    settings.get_dagbag_import_timeout = _no_timeout
    if request.dags_folder:
        settings.DAGS_FOLDER = request.dags_folder
        _serialization().DAGS_FOLDER = request.dags_folder
    _keep_segfaults_fatal()


def _silence(*loggers: str) -> None:
    """Keep Airflow from logging what is in the answer; what the file itself logs stays."""
    for name in loggers:
        logging.getLogger(name).setLevel(logging.CRITICAL)
        with contextlib.suppress(ImportError, AttributeError):  # Airflow 3 has a second set
            levels: Any = importlib.import_module("airflow._shared.logging.structlog")
            levels.PER_LOGGER_LEVELS[name] = logging.CRITICAL


def _no_timeout(_dag_file_path: str) -> int:
    return 0


def _keep_segfaults_fatal() -> None:
    """Refuse Airflow's SIGSEGV handler.

    A handler in Python cannot run after a real segmentation fault: the instruction is tried again,
    for ever. Airflow takes a ValueError for "not in the main thread" and goes on without.
    """
    set_handler = signal.signal

    def set_unless_segfault(signalnum: int, handler: Any) -> Any:
        if signalnum == signal.SIGSEGV:
            raise ValueError("the keeper wants to see a segmentation fault")
        return set_handler(signalnum, handler)

    signal.signal = set_unless_segfault


def _dag_bag_class() -> Any:
    for module in ("airflow.dag_processing.dagbag", "airflow.models.dagbag"):
        with contextlib.suppress(ImportError, AttributeError):
            return importlib.import_module(module).DagBag
    raise ImportError("this Airflow has no DagBag that dagctl knows")


def _serializer() -> Any:
    module = _serialization()
    return getattr(module, "DagSerialization", None) or module.SerializedDAG


def _conf() -> Any:
    return importlib.import_module("airflow.configuration").conf


def _serialization() -> Any:
    return importlib.import_module("airflow.serialization.serialized_objects")


def _bundle_arguments(request: ParseRequest) -> dict[str, Any]:
    names = _dag_bag_class().__init__.__code__.co_varnames
    known = {
        "bundle_path": Path(request.root),
        "bundle_name": request.bundle_name,
        "include_examples": False,
        "read_dags_from_db": False,
    }
    return {name: value for name, value in known.items() if name in names}
