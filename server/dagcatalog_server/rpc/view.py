"""How much of a DAG an answer carries."""

from enum import IntEnum


class View(IntEnum):
    """Numbered as on the wire."""

    SUMMARY = 1
    DOCUMENT = 2
    SOURCE = 3
    READABLE = 4
