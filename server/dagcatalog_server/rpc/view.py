"""How much of a DAG an answer carries, and which fields of its document."""

from enum import IntEnum
from typing import NamedTuple, TypeAlias

from dagcatalog.v1 import resources_pb2 as res

Encoding: TypeAlias = "res.DocumentEncoding.ValueType"


class View(IntEnum):
    """Numbered as on the wire."""

    SUMMARY = 1
    DOCUMENT = 2
    SOURCE = 3
    READABLE = 4


class Profile(IntEnum):
    """Numbered as on the wire."""

    FULL = 1
    WEBSERVER = 2
    SCHEDULER = 3


class Form(NamedTuple):
    """How a DAG is sent. Part of the key of every cache of encoded bytes, and hashed in C."""

    view: View
    encoding: Encoding = res.DOCUMENT_ENCODING_IDENTITY
    profile: Profile = Profile.FULL
