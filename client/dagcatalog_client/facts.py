"""What an error answer carries besides its sentence."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dagcatalog_client.position import Position


@dataclass(frozen=True, slots=True)
class Violation:
    """One wrong field of a request."""

    field: str
    """Its path, continued into the document: `item.document.dag.tasks[3].retries`."""
    description: str


@dataclass(frozen=True, slots=True)
class Facts:
    """The decoded google.rpc details of one error; everything is empty if there were none."""

    code: str = ""
    """Name of the status code, `NOT_FOUND` for instance."""
    message: str = ""
    domain: str = ""
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: tuple[Violation, ...] = ()
    retry_after_s: float | None = None
    resource: str = ""
    """Kind and name of what the error is about."""
    request_id: str = ""

    def text(self, name: str) -> str:
        """Return a metadata value, or the empty text."""
        return self.metadata.get(name, "")

    def number(self, name: str) -> int:
        """Return a metadata value as a number, or 0."""
        digits = self.text(name)
        return int(digits) if digits.isascii() and digits.isdigit() else 0

    def position(self, prefix: str) -> Position:
        """Return the position in `<prefix>_epoch` and `<prefix>_revision`."""
        return Position(self.text(f"{prefix}_epoch"), self.number(f"{prefix}_revision"))
