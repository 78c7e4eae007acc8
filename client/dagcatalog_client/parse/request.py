"""What the Parser asks the zygote for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from dagcatalog_client.parse.model import DEFAULT_LIMITS, Limits


@dataclass(frozen=True)
class FindRequest:
    """Find the files in `root` that Airflow would parse."""

    root: str
    limits: Limits = DEFAULT_LIMITS


@dataclass(frozen=True)
class ParseRequest:
    """Parse `file`; `root` is the folder of its bundle. Both are absolute.

    Airflow writes its DAGs folder into each document. With an AIRFLOW_HOME of the user's it is the
    configured one; with a temporary home, whose name is another each time, it is `dags_folder`.
    """

    file: str
    root: str
    bundle_name: str
    limits: Limits = DEFAULT_LIMITS
    dags_folder: str = ""


Request = FindRequest | ParseRequest


def encode_request(request: Request) -> bytes:
    """Write a request as one message; a path's undecodable bytes come through as surrogates."""
    return json.dumps({type(request).__name__: asdict(request)}).encode("ascii")


def decode_request(message: bytes) -> Request:
    """Read what `encode_request` wrote."""
    ((name, fields),) = json.loads(message).items()
    limits = Limits(**fields.pop("limits"))
    if name == "FindRequest":
        return FindRequest(limits=limits, **fields)
    return ParseRequest(limits=limits, **fields)
