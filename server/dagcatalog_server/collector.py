"""Sets Python's cyclic garbage collector up for a server of large documents."""

import gc

# Checking a document makes thousands of containers, which all die by themselves; with the usual
# thresholds (700, 10, 10) the collector runs over them several times for each. Circles are rare here
# (tests/faults/test_malformed_puts.py bounds what they may keep), so what is old is looked at rarely.
THRESHOLDS = (50_000, 20, 50)


def calm_collector() -> None:
    """Leave out of every collection what was imported, and collect less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
