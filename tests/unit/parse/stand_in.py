"""A stand-in for Airflow, a few lines long: what the parse package calls, and nothing else.

With it the real zygote, keeper and child run in a tenth of a second. What the real Airflow does is
tested in tests/airflow. A "DAG" is any instance of a class named DAG in the file.
"""

from pathlib import Path

MODULES = {
    "airflow/__init__.py": "__version__ = '0.0.stand-in'\n",
    "airflow/sdk.py": """
class DAG:
    def __init__(self, dag_id, value=None):
        self.dag_id, self.value, self.fileloc = dag_id, value, None
""",
    "airflow/settings.py": "DAGS_FOLDER = '/nowhere'\n",
    "airflow/configuration.py": """
class conf:
    @staticmethod
    def getboolean(section, key):
        return True
    @staticmethod
    def set(section, key, value):
        pass
""",
    "airflow/utils/__init__.py": "",
    "airflow/utils/file.py": """
from pathlib import Path
def list_py_file_paths(root, safe_mode):
    return [str(path) for path in Path(root).rglob("*.py")]
""",
    "airflow/dag_processing/__init__.py": "",
    "airflow/dag_processing/dagbag.py": """
import runpy, signal, traceback
from airflow.sdk import DAG
class DagBag:
    def __init__(self, dag_folder, load_op_links=True, bundle_path=None, bundle_name=None):
        self.dags, self.import_errors = {}, {}
        try:
            signal.signal(signal.SIGSEGV, lambda number, frame: None)  # as the real one does
        except ValueError:
            pass
        try:
            found = runpy.run_path(str(dag_folder))
        except BaseException:
            self.import_errors[str(dag_folder)] = traceback.format_exc()
            return
        for dag in found.values():
            if isinstance(dag, DAG):
                dag.fileloc = str(dag_folder)
                self.dags[dag.dag_id] = dag
""",
    "airflow/serialization/__init__.py": "",
    "airflow/serialization/serialized_objects.py": """
DAGS_FOLDER = None
class DagSerialization:
    @staticmethod
    def to_dict(dag):
        value = dag.value() if callable(dag.value) else dag.value
        return {"__version": 3, "dag": {"dag_id": dag.dag_id, "value": value, "in": DAGS_FOLDER}}
""",
}


def install(folder: Path) -> Path:
    """Write the modules; the folder belongs on PYTHONPATH."""
    for name, text in MODULES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder
