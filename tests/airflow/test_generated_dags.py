"""Big DAGs, and operators that Airflow does not ship, come back as they went in."""

from pathlib import Path

import pytest

from dagcatalog_client import Client
from tests.airflow.conftest import Judge, Load, documents_of

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(300)]

SIZES = (5, 100, 1_000)

GENERATED = """
from datetime import datetime
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

for size in {sizes}:
    with DAG(
        f"generated_{{size}}", schedule="@daily", start_date=datetime(2024, 1, 1), tags=["made"]
    ):
        tasks = [
            BashOperator(
                task_id=f"task_{{n:04}}",
                bash_command=f"echo {{{{{{{{ ds }}}}}}}} step {{n}} of {{size}}",
                env={{"STEP": str(n)}},
                doc_md=f"Step **{{n}}** of the generated DAG; it comes after step {{(n - 1) // 2}}.",
                retries=n % 4,
            )
            for n in range(size)
        ]
        for n, task in enumerate(tasks[1:], start=1):
            tasks[(n - 1) // 2] >> task
            if n > 7:
                tasks[n - 7] >> task
"""

OPERATOR = """
from airflow.sdk import BaseOperator

class SendPigeon(BaseOperator):
    template_fields = ("message", "route")
    ui_color = "#abcdef"

    def __init__(self, *, message, route=(), feathers=None, **kwargs):
        super().__init__(**kwargs)
        self.message, self.route, self.feathers = message, route, feathers or {}

    def execute(self, context):
        return self.message
"""

USER = """
from airflow.sdk import DAG
from aviary.pigeons import SendPigeon

with DAG("pigeons", params={"loft": "été"}):
    first = SendPigeon(task_id="first", message="{{ params.loft }}", route=["a", "b"])
    SendPigeon.partial(task_id="many").expand(message=["x", "y"]) << first
"""


def test_generated_dags_come_back_identical_and_equal(
    tmp_path: Path, load: Load, judge: Judge, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "generated.py").write_text(GENERATED.format(sizes=SIZES))
    loaded = load("--bundle", "generated", tmp_path)
    assert loaded.code == 0, loaded.report["failures"]
    documents = documents_of(client, "generated")
    judged = judge(tmp_path, documents)["dags"]
    for size in SIZES:
        dag = judged[f"generated_{size}"]
        with capsys.disabled():
            print(
                f"\ngenerated, {size:>5} tasks: {dag['bytes']:>9,} bytes, identical, "
                f"{dag['values']:>7,} values equal",
                end="",
            )
        assert dag["identical"]
        assert dag["differences"] == []
    again = load("--bundle", "generated", tmp_path)
    assert set(again.outcomes.values()) == {"UNCHANGED"}
    assert again.report["revision"] == loaded.report["revision"]


def test_an_operator_of_the_users_own_comes_back(
    tmp_path: Path, load: Load, judge: Judge, client: Client
) -> None:
    (tmp_path / "aviary").mkdir()
    (tmp_path / "aviary" / "pigeons.py").write_text(OPERATOR)
    (tmp_path / "pigeons.py").write_text(USER)
    loaded = load("--bundle", "aviary", tmp_path)
    assert loaded.code == 0, loaded.report["failures"]
    assert loaded.outcomes == {"pigeons": "CREATED"}
    summary = client.get("pigeons").summary
    assert summary.operators == ("SendPigeon",)
    assert summary.task_count == 2
    dag = judge(tmp_path, documents_of(client, "aviary"))["dags"]["pigeons"]
    assert dag["identical"]
    assert dag["differences"] == []
