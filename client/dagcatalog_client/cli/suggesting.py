"""What there is, for whoever asked for what is not there."""

import difflib
from collections.abc import Iterator

from dagcatalog_client.cli.context import Context
from dagcatalog_client.client import Client
from dagcatalog_client.errors import CatalogError, DagNotFound

TIMEOUT_S = 2.0
CANDIDATES = 1_000
"""DAGs that are compared with the one that is missing: a page."""


def notes(context: Context | None, error: CatalogError) -> Iterator[str]:
    """Say what to try; nothing, if the catalog does not tell within two seconds."""
    if context is None or not isinstance(error, DagNotFound) or not error.dag_id:
        return
    if error.deleted_at_revision:
        yield f"`dagctl restore {error.dag_id}` brings it back"
        return
    try:
        with context.client(timeout_s=TIMEOUT_S) as client:
            yield _near(client, error)
    except CatalogError:
        return


def unknown_namespace(client: Client, namespace: str) -> str:
    """Say which namespaces there are, if this is none; else nothing."""
    known = [each.namespace for each in client.status(timeout_s=TIMEOUT_S).namespaces]
    if namespace in (*known, "-"):
        return ""
    return f"namespace {namespace!r} holds nothing; there are {', '.join(known) or 'none'}"


def _near(client: Client, error: DagNotFound) -> str:
    page = client.list_page(page_size=CANDIDATES, namespace=error.namespace, timeout_s=TIMEOUT_S)
    names = [dag.dag_id for dag in page.dags]
    if not names and (unknown := unknown_namespace(client, error.namespace)):
        return unknown
    near = difflib.get_close_matches(error.dag_id, names, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else "`dagctl list` names those there are"
