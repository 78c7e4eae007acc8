"""The checkers find a broken server: each defect is a violation of the right rule, in a short run."""

import sys
from collections.abc import Mapping
from pathlib import Path

import psycopg2
import pytest

from dagcatalog_server.store.schema import migrate
from tests.faults.checking.violations import Rule
from tests.faults.running.broken_server import MAKE_SEQUENCE
from tests.faults.running.campaign import Campaign, run_campaign
from tests.faults.seeds import take_seed

RUN_S = 10.0
WITHOUT_DOORBELL = {"DAGCATALOG_NOTIFY": "false"}


@pytest.mark.faults
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("defect", "rule", "environment"),
    [
        ("sequence", Rule.WATCH_GAP, {}),
        ("stale_read", Rule.STALE_READ, WITHOUT_DOORBELL),
        ("split_revision", Rule.WATCH_SPLIT, {}),
        ("skip_a_resume", Rule.WATCH_GAP, {}),
        ("lose_an_event", Rule.WATCH_GAP, {}),
        ("write_twice", Rule.WRITTEN_TWICE, {}),
        ("unchecked_precondition", Rule.PRECONDITION_IGNORED, {}),
    ],
)
async def test_a_defect_is_found(
    empty_postgres_url: str,
    tmp_path: Path,
    defect: str,
    rule: Rule,
    environment: Mapping[str, str],
) -> None:
    seed = take_seed()
    migrate(empty_postgres_url)
    connection = psycopg2.connect(empty_postgres_url)
    with connection, connection.cursor() as cursor:
        cursor.execute(MAKE_SEQUENCE)
    connection.close()
    command = (sys.executable, "-m", "tests.faults.running.broken_server", defect)
    campaign = Campaign(
        seed,
        RUN_S,
        empty_postgres_url,
        tmp_path,
        faults=False,
        compaction=False,
        command=command,
        environment=environment,
    )
    outcome = await run_campaign(campaign)
    print(outcome)
    assert rule in outcome.verdict.rules
