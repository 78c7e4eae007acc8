"""Trimmed documents are documents: Airflow reads them, and misses nothing that it uses."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from dagcatalog_client import Client, DagFilter, DagProfile
from dagcatalog_server.config import Profiles
from tests.airflow.conftest import ROOT, Load
from tests.airflow.test_generated_dags import GENERATED

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(300)]

INSIDE = Path(__file__).with_name("inside_profiles.py")


@pytest.mark.parametrize(
    ("profile", "tells"),
    [
        (DagProfile.WEBSERVER, ["scheduling", "showing"]),
        (DagProfile.SCHEDULER, ["scheduling"]),
    ],
)
def test_airflow_finds_in_a_trimmed_document_what_it_uses(
    profile: DagProfile,
    tells: Sequence[str],
    example_folders: Mapping[str, Path],
    airflow_bin: Path,
    airflow_environment: Mapping[str, str],
    load: Load,
    client: Client,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for bundle, folder in example_folders.items():
        assert load("--bundle", bundle, folder).code == 0
    made = tmp_path / "made"
    made.mkdir()
    (made / "made.py").write_text(GENERATED.format(sizes=(1_000,)))
    assert load("--bundle", "made", made).code == 0

    names = [one.dag_id for one in client.list(DagFilter())]
    fields = getattr(Profiles(), profile.name.lower())
    assert not fields.include
    cases = [
        {
            "name": name,
            "full": client.get(name).document.decode(),
            "trimmed": client.get(name, profile=profile).document.decode(),
            "left_out": [path.rpartition(".")[2] for path in fields.exclude],
            "tells": tells,
        }
        for name in names
    ]
    found = judged(cases, airflow_bin, airflow_environment, tmp_path)
    assert found.keys() == set(names)
    full, left = (sum(len(case[each]) for case in cases) for each in ("full", "trimmed"))
    with capsys.disabled():
        compared = sum(one["values"] for one in found.values())
        print(
            f"\n{profile.name}: {len(names)} DAGs, {compared:,} values compared, "
            f"{full:,} -> {left:,} bytes"
        )
    assert left < full
    assert {name: one for name, one in found.items() if one["differences"]} == {}
    assert {name: one for name, one in found.items() if not all(one["told"].values())} == {}


def judged(
    cases: Sequence[Mapping[str, Any]],
    airflow_bin: Path,
    environment: Mapping[str, str],
    folder: Path,
) -> Mapping[str, Any]:
    given, result = folder / "cases.json", folder / "result.json"
    given.write_text(json.dumps(cases))
    done = subprocess.run(
        [airflow_bin / "python", INSIDE, given, result],
        env={**environment, "PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    told: Mapping[str, Any] = json.loads(result.read_text())
    return told
