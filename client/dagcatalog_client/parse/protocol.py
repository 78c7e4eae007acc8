"""Carries answers through pipes: frames of a 4-byte length and that many bytes of JSON.

JSON and never pickle: the process that ran a DAG file is not to be trusted. A document travels as
a frame of its own, because it is JSON already.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from dagcatalog_client.parse.model import Answer, Failure, FailureKind, ParsedDag, Verdict

LENGTH = struct.Struct(">I")


class ProtocolError(Exception):
    """Bytes that are no answer, for instance because a DAG file wrote into the pipe."""


def frame(payload: bytes) -> bytes:
    """Put the length before the payload."""
    return LENGTH.pack(len(payload)) + payload


def frames(data: bytes) -> Iterator[bytes]:
    """Take frames apart.

    Raises:
        ProtocolError: the last frame is not whole.

    """
    view = memoryview(data)
    while view:
        if len(view) < LENGTH.size:
            raise ProtocolError("the answer ends inside a length")
        (size,) = LENGTH.unpack_from(view)
        if len(view) < LENGTH.size + size:
            raise ProtocolError("the answer ends inside a frame")
        yield bytes(view[LENGTH.size : LENGTH.size + size])
        view = view[LENGTH.size + size :]


def write_all(fd: int, data: bytes) -> None:
    """Write everything, however small the pipe."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def encode_answer(answer: Answer) -> bytes:
    """Write an answer as frames: a header, then each DAG's document."""
    sources = list(dict.fromkeys(dag.source for dag in answer.dags if dag.source is not None))
    places = {text: place for place, text in enumerate(sources)}
    header = {
        "dags": [
            {"dag_id": dag.dag_id, "source": None if dag.source is None else places[dag.source]}
            for dag in answer.dags
        ],
        "sources": sources,
        "failures": [asdict(failure) for failure in answer.failures],
        "files": answer.files,
    }
    return b"".join([frame(_json(header)), *(frame(dag.document) for dag in answer.dags)])


def decode_answer(data: bytes) -> Answer:
    """Read what `encode_answer` wrote.

    Raises:
        ProtocolError: it is something else.

    """
    try:
        head, *documents = frames(data)
        header = json.loads(head)
        sources: list[str] = header["sources"]
        if len(documents) != len(header["dags"]):
            raise ProtocolError("the answer has another number of documents than it says")
        return Answer(
            dags=tuple(
                ParsedDag(
                    str(dag["dag_id"]),
                    document,
                    None if dag["source"] is None else sources[dag["source"]],
                )
                for dag, document in zip(header["dags"], documents, strict=True)
            ),
            failures=tuple(_failure(entry) for entry in header["failures"]),
            files=tuple(map(str, header["files"])),
        )
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise ProtocolError(f"the answer cannot be read: {error}") from error


def encode_verdict(verdict: Verdict) -> bytes:
    """Write a verdict as one frame."""
    return frame(_json(asdict(verdict)))


def split_verdict(data: bytes) -> tuple[Verdict, bytes]:
    """Read the keeper's frame; what follows it is the child's.

    Raises:
        ProtocolError: the keeper did not live to write it.

    """
    if len(data) < LENGTH.size:
        raise ProtocolError("there is no verdict")
    (size,) = LENGTH.unpack_from(data)
    end = LENGTH.size + size
    if len(data) < end:
        raise ProtocolError("the verdict is cut off")
    fields = json.loads(data[LENGTH.size : end])
    kind = fields.pop("ended_for")
    return Verdict(ended_for=None if kind is None else FailureKind(kind), **fields), data[end:]


def _failure(entry: dict[str, Any]) -> Failure:  # Any: decoded JSON
    return Failure(
        FailureKind(entry["kind"]),
        str(entry["message"]),
        str(entry["stack_trace"]),
        int(entry["line"]),
    )


def _json(value: object) -> bytes:
    # ASCII, so that a lone surrogate in a message cannot keep the answer from being sent.
    return json.dumps(value, separators=(",", ":")).encode("ascii")
