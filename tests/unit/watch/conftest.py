"""A replica whose tail runs."""

from collections.abc import AsyncIterator

import pytest

from tests.support.watching import Replica, running


@pytest.fixture
async def replica() -> AsyncIterator[Replica]:
    async with running(Replica()) as made:
        yield made
