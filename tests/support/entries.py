"""Encoded summaries, as a watch brings them to an informer."""

import hashlib

from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_client.convert.encodings import Encoded
from dagcatalog_client.convert.mirrored import entry_of_bytes
from dagcatalog_client.informer.entry import Entry


def entry(
    dag_id: str,
    revision: int = 1,
    *,
    namespace: str = "default",
    text: str = "",
    tags: tuple[str, ...] = (),
) -> Entry:
    """Make the entry of a DAG whose document is `document(dag_id, text)`."""
    summary = res.DagSummary(
        namespace=namespace,
        dag_id=dag_id,
        revision=revision,
        content_hash=content_hash(document(dag_id, text)),
        tags=tags,
    )
    return entry_of_bytes(summary.SerializeToString(deterministic=True))


def document(dag_id: str, text: str = "") -> bytes:
    """Make what stands for a document."""
    return f"{dag_id} {text}".encode()


def content_hash(raw: bytes) -> str:
    """Address bytes."""
    return hashlib.sha256(raw).hexdigest()


def plain(raw: bytes) -> Encoded:
    """A document that came as it is."""
    return Encoded(raw)
