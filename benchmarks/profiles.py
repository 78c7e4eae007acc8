"""How many bytes the profiles save on Airflow's example DAGs and on a DAG of 1,000 tasks.

Airflow 3.3.2 serializes them (`make setup-airflow`), a catalog takes them in, and what it has is
trimmed as its server trims. Both as the wire sends them: as they are, and each in Zstandard.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import zstandard

from dagcatalog_client import Client, DagFilter
from dagcatalog_server.catalog.trimming import Trim
from dagcatalog_server.config import ProfileFields, Profiles
from tests.airflow.conftest import AIRFLOW
from tests.airflow.test_generated_dags import GENERATED
from tests.support.server import running_server

EXAMPLES = ("airflow/example_dags", "airflow/providers/standard/example_dags")
TEMPLATES = "dag.tasks[].{template_fields}"
REPEAT = 20


def main() -> None:
    """Print a table for each set of DAGs."""
    if not (AIRFLOW / "dagctl").exists():
        sys.exit(f"there is no Airflow in {AIRFLOW}: run `make setup-airflow` first")
    profiles = Profiles()
    web = profiles.webserver
    trims: dict[str, Callable[[bytes], bytes]] = {
        "FULL": lambda raw: raw,
        "WEBSERVER": _trim(web),
        f"WEBSERVER, and {TEMPLATES}": Trim(include=web.include, exclude=(*web.exclude, TEMPLATES)),
        "SCHEDULER": _trim(profiles.scheduler),
    }
    for title, documents in _documents().items():
        _report(title, documents, trims)


def _trim(fields: ProfileFields) -> Trim:
    return Trim(include=fields.include, exclude=fields.exclude)


def _report(
    title: str, documents: Sequence[bytes], trims: Mapping[str, Callable[[bytes], bytes]]
) -> None:
    print(f"\n{title} ({len(documents)} DAGs)\n")
    print("| profile | bytes | saved | in Zstandard | saved | ms a DAG |")
    print("|---|---:|---:|---:|---:|---:|")
    full, packed_full = _bytes(documents)
    for name, trim in trims.items():
        began = time.perf_counter()
        for _ in range(REPEAT):
            trimmed = [trim(raw) for raw in documents]
        ms = (time.perf_counter() - began) * 1000 / REPEAT / len(documents)
        plain, packed = _bytes(trimmed)
        saved, saved_packed = 1 - plain / full, 1 - packed / packed_full
        print(f"| {name} | {plain:,} | {saved:.0%} | {packed:,} | {saved_packed:.0%} | {ms:.2f} |")


def _bytes(documents: Sequence[bytes]) -> tuple[int, int]:
    compressor = zstandard.ZstdCompressor(level=3)
    return sum(map(len, documents)), sum(len(compressor.compress(raw)) for raw in documents)


def _documents() -> Mapping[str, Sequence[bytes]]:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "dags").mkdir()
        (folder / "dags" / "made.py").write_text(GENERATED.format(sizes=(1_000,)))
        packages = _packages()
        with running_server(folder / "catalog.db") as server, Client(server.address) as client:
            _load(server.address, "made", folder / "dags", folder)
            for place in EXAMPLES:
                _load(server.address, "examples", packages / place, folder)
            return {
                "A DAG of 1,000 tasks": _of(client, "made"),
                "Airflow's example DAGs": _of(client, "examples"),
            }


def _of(client: Client, bundle: str) -> list[bytes]:
    return [client.get(one.dag_id).document for one in client.list(DagFilter(bundle_name=bundle))]


def _packages() -> Path:
    script = "import json, sysconfig; print(json.dumps(sysconfig.get_path('purelib')))"
    told = subprocess.check_output([str(AIRFLOW / "python"), "-c", script], text=True)
    return Path(json.loads(told))


def _load(address: str, bundle: str, folder: Path, home: Path) -> None:
    command = [str(AIRFLOW / "dagctl"), "--address", address, "load", "--bundle", bundle]
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "True",
    }
    subprocess.run([*command, str(folder)], env=environment, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
