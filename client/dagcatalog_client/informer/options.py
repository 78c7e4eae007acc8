"""What an informer is set to."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dagcatalog_client.model import DagProfile, DagView

MIB = 1024**2
FETCH_TIMEOUT_S = 15.0
"""For a document that is not here, as for any read."""
CLOSE_TIMEOUT_S = 10.0
"""For each thread to end."""

LEAVE_TIMEOUT_S = 2.0
"""For the last word to the catalog."""


@dataclass(frozen=True, slots=True)
class Options:
    """The arguments of an informer, as its class documents them."""

    namespaces: Sequence[str] | None
    dag_id_prefix: str
    view: DagView
    profile: DagProfile
    consumer_id: str
    memory_bytes: int
    folder: Path | None
    disk_bytes: int
    snapshot_interval_s: float
    bookmark_interval_s: float

    def __post_init__(self) -> None:
        if self.view not in (DagView.SUMMARY, DagView.DOCUMENT):
            raise ValueError(f"an informer's view is SUMMARY or DOCUMENT, not {self.view.name}")
        if self.memory_bytes < 0 or self.disk_bytes < 0:
            raise ValueError("a bound in bytes is not negative")
