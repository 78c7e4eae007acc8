"""Three replicas, one PostgreSQL, and everything goes wrong at once: every promise holds."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from dagcatalog_server.store.schema import migrate
from tests.faults.running.campaign import Campaign, run_campaign
from tests.faults.seeds import take_seed

DURATION_S = float(os.environ.get("DAGCATALOG_TEST_CAMPAIGN_S", "45"))
OVERHEAD_S = 300.0  # starting, peace, and the verdict, on a busy machine

WITH_DOORBELL: Mapping[str, str] = {}
WITHOUT_DOORBELL = {"DAGCATALOG_NOTIFY": "false"}


@pytest.mark.faults
@pytest.mark.timeout(DURATION_S + OVERHEAD_S)
@pytest.mark.parametrize(
    ("environment", "drops_versions"),
    [
        pytest.param(WITH_DOORBELL, False, id="with the doorbell"),
        pytest.param(WITHOUT_DOORBELL, False, id="without the doorbell"),
        pytest.param(WITH_DOORBELL, True, id="while versions are dropped"),
    ],
)
async def test_every_promise_holds_whatever_goes_wrong(
    empty_postgres_url: str,
    tmp_path: Path,
    environment: Mapping[str, str],
    *,
    drops_versions: bool,
) -> None:
    seed = take_seed()
    migrate(empty_postgres_url)
    campaign = Campaign(
        seed,
        DURATION_S,
        empty_postgres_url,
        tmp_path,
        drops_versions=drops_versions,
        environment=environment,
    )
    outcome = await run_campaign(campaign)
    print(outcome, *outcome.deeds, sep="\n")
    assert not outcome.verdict.violations, str(outcome)
    assert outcome.log.last > DURATION_S, "too little happened to show anything"
    assert outcome.compactions > DURATION_S / 2, "too little was compacted"
