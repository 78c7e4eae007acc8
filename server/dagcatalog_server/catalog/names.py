"""Checks of the small fields of requests: keys, labels, reasons, ids."""

import re
from collections.abc import Mapping

from dagcatalog_server.catalog.errors import InvalidArgument, TooLarge
from dagcatalog_server.catalog.model import DEFAULT_NAMESPACE, DagKey, Provenance

EVERY_NAMESPACE = "-"
MAX_LABELS = 64
MAX_LABEL = 255
# Bundle and path are the key of an index, whose entries PostgreSQL bounds to 2,704 bytes.
MAX_FILE_BYTES = 2_000
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DAG_ID = re.compile(r"[\w.-]{1,250}")  # Airflow's KEY_REGEX and length (airflow.utils.helpers)
_LABEL_KEY = re.compile(r"[A-Za-z0-9]([-._/A-Za-z0-9]{0,61}[A-Za-z0-9])?")
_HASH = re.compile(r"[0-9a-f]{64}")


def check_namespace(namespace: str) -> str:
    """Return the namespace, "default" for an empty one."""
    if not namespace:
        return DEFAULT_NAMESPACE
    if not _NAMESPACE.fullmatch(namespace):
        wanted = "must be 1 to 63 of a-z, 0-9 and '-', not beginning or ending with '-'"
        raise InvalidArgument("namespace", f"{_shown(namespace)} {wanted}")
    return namespace


def check_namespace_filter(namespace: str) -> str | None:
    """Return the namespace, or None for "-": every namespace."""
    return None if namespace == EVERY_NAMESPACE else check_namespace(namespace)


def check_key(namespace: str, dag_id: str) -> DagKey:
    """Return the key of a DAG."""
    if not is_dag_id(dag_id):
        wanted = "must be 1 to 250 letters, digits, '_', '-' or '.'"
        raise InvalidArgument("dag_id", f"{_shown(dag_id)} {wanted}")
    return DagKey(check_namespace(namespace), dag_id)


def is_dag_id(text: str) -> bool:
    """Tell whether a DAG can have this id."""
    return _DAG_ID.fullmatch(text) is not None


def check_hash(field: str, value: str) -> str:
    """Return a SHA-256 in lower-case hexadecimal."""
    if not _HASH.fullmatch(value):
        raise InvalidArgument(
            field, f"{_shown(value)} must be 64 lower-case hexadecimal digits (SHA-256)"
        )
    return value


def check_text(field: str, value: str, max_characters: int) -> str:
    """Return a text that every store can keep: bounded and without NUL."""
    if len(value) > max_characters:
        raise TooLarge(field, "characters", size=len(value), limit=max_characters)
    if "\0" in value:
        raise InvalidArgument(field, f"has a NUL character at {value.index(chr(0))}")
    return value


def check_labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    """Return labels of a Put."""
    if len(labels) > MAX_LABELS:
        raise TooLarge("labels", "labels", size=len(labels), limit=MAX_LABELS)
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            wanted = "must be 1 to 63 letters, digits, '-', '_', '.' or '/'"
            raise InvalidArgument("labels", f"key {_shown(key)} {wanted}")
        check_text(f"labels.{key}", value, MAX_LABEL)
    return labels


def check_provenance(provenance: Provenance) -> Provenance:
    """Return a provenance."""
    check_text("provenance.bundle_version", provenance.bundle_version, 250)
    check_file("provenance", provenance.bundle_name, provenance.file)
    return provenance


def check_file(field: str, bundle_name: str, file: str) -> None:
    """Refuse the name of a file that no index can hold."""
    check_text(f"{field}.bundle_name", bundle_name, 250)
    check_text(f"{field}.file", file, MAX_FILE_BYTES)
    size = len(bundle_name.encode()) + len(file.encode())
    if size > MAX_FILE_BYTES:
        raise TooLarge(f"{field}.file", "bytes", size=size, limit=MAX_FILE_BYTES)


def _shown(value: str) -> str:
    return repr(value if len(value) <= 80 else value[:80] + "…")
