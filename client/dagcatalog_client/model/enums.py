"""The contract's enums, numbered as on the wire.

A number that a newer catalog sends and this client does not know becomes UNSPECIFIED.
"""

from enum import IntEnum
from typing import Self


class _WireEnum(IntEnum):
    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return cls(0) if isinstance(value, int) and value > 0 else None


class PutOutcome(_WireEnum):
    """What a Put did."""

    UNSPECIFIED = 0
    CREATED = 1
    """The DAG was not there: it is now."""
    NEW_VERSION = 2
    """The definition was another: there is a new version."""
    REFRESHED = 3
    """Same definition; its place, source text or labels are new. No new version."""
    UNCHANGED = 4
    """Same definition, nothing written."""
    RESTORED = 5
    """The DAG was deleted and is back with the definition it had. No new version."""


class ScheduleKind(_WireEnum):
    """How a DAG is scheduled, in kinds that a list can be filtered by."""

    UNSPECIFIED = 0
    NONE = 1
    """Runs only when triggered."""
    ONCE = 2
    CONTINUOUS = 3
    """Runs again as soon as the last run has ended."""
    CRON = 4
    DELTA = 5
    """A fixed interval."""
    ASSET = 6
    """Assets (datasets in Airflow 2)."""
    ASSET_OR_TIME = 7
    EVENTS = 8
    """A fixed list of events."""
    CUSTOM = 9
    """A timetable that Airflow does not ship."""


class DagView(_WireEnum):
    """How much of a DAG an answer carries."""

    UNSPECIFIED = 0
    """Get and GetBatch: DOCUMENT. Watch: SUMMARY."""
    SUMMARY = 1
    DOCUMENT = 2
    """Summary and document."""
    SOURCE = 3
    """Summary and the DAG file's text."""
    READABLE = 4
    """Summary and the document with every number a double; programs take DOCUMENT."""


class DagProfile(_WireEnum):
    """Which fields of the document are sent; the lists are the server's configuration."""

    UNSPECIFIED = 0
    """Same as FULL."""
    FULL = 1
    WEBSERVER = 2
    SCHEDULER = 3


class Consistency(_WireEnum):
    """How fresh a read must be."""

    UNSPECIFIED = 0
    """Same as LINEARIZABLE."""
    LINEARIZABLE = 1
    """Sees every write that was acknowledged before the read began, on any replica."""
    LOCAL = 2
    """What the replica has."""


class DeletedFilter(_WireEnum):
    """What a filter does with tombstones."""

    UNSPECIFIED = 0
    """Same as EXCLUDE."""
    EXCLUDE = 1
    INCLUDE = 2
    ONLY = 3


class ChangeKind(_WireEnum):
    """What happened to a DAG in one revision."""

    UNSPECIFIED = 0
    CREATED = 1
    NEW_VERSION = 2
    REFRESHED = 3
    """Same definition; its place, source text or labels changed."""
    DELETED = 4
    RESTORED = 5
    """The DAG came back from its tombstone with the definition it had."""


class ChangeClass(_WireEnum):
    """Which part of the definition a change touched."""

    UNSPECIFIED = 0
    STRUCTURE = 1
    """Tasks or edges. Created, deleted and restored DAGs carry all three classes."""
    SCHEDULE = 2
    """Timetable, dates, catchup, limits of runs."""
    METADATA = 3
    """Anything else: tags, descriptions, source text, place."""


class DifferenceKind(_WireEnum):
    """How a task, an edge or a field differs."""

    UNSPECIFIED = 0
    ADDED = 1
    """Only the newer side has it."""
    REMOVED = 2
    """Only the older side has it."""
    CHANGED = 3
    """Both have it, with different values."""


class ParseErrorKind(_WireEnum):
    """Why a DAG file gave no DAG."""

    UNSPECIFIED = 0
    """Same as IMPORT."""
    IMPORT = 1
    """The file raised while it was imported."""
    SYNTAX = 2
    """The file is not Python."""
    TIMEOUT = 3
    MEMORY = 4
    CRASH = 5
    """The parser's process died."""
    SERIALIZE = 6
    """A DAG could not be serialized."""
    REFUSED = 7
    """The catalog refused the document."""
