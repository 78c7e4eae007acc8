"""The seed of a random test: another one each time, printed, and given back to repeat a failure."""

import os
import random


def take_seed() -> int:
    """Take DAGCATALOG_TEST_SEED, else a new one; print it (pytest shows it if the test fails)."""
    given = os.environ.get("DAGCATALOG_TEST_SEED")
    seed = int(given) if given else random.SystemRandom().randrange(2**32)
    print(f"seed: DAGCATALOG_TEST_SEED={seed}")
    return seed
