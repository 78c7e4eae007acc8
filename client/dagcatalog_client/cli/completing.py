"""What the shell completes by asking the catalog: within a second, and silent if that fails."""

import click
from click.shell_completion import CompletionItem

from dagcatalog_client import contexts
from dagcatalog_client.cli.context import NAMESPACE_KEY, Chosen
from dagcatalog_client.client import Client
from dagcatalog_client.errors import CatalogError
from dagcatalog_client.model import DagFilter, DeletedFilter

COMPLETE_VARIABLE = "_DAGCTL_COMPLETE"
"""Set by the scripts of `dagctl completion` when the shell asks; click's name for it."""
TIMEOUT_S = 1.0
MAX_NAMES = 200


def complete_dag_id(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Name the DAGs that begin so; deleted ones where a command is about them."""
    which = DeletedFilter.ONLY if ctx.info_name == "restore" else DeletedFilter.EXCLUDE
    if ctx.info_name == "history":
        which = DeletedFilter.INCLUDE
    wanted = DagFilter(dag_id_prefix=incomplete, deleted=which)
    chosen = _chosen(ctx)
    if param.nargs == -1 and ctx.params.get(param.name or ""):
        return []
    try:
        found = chosen.resolve()
        with Client(
            found.address,
            namespace=found.namespace,
            tls=found.tls or False,
            token=found.token,
        ) as client:
            page = client.list_page(wanted, page_size=MAX_NAMES, timeout_s=TIMEOUT_S)
    except CatalogError:
        return []
    return [CompletionItem(dag.dag_id, help=dag.description[:60]) for dag in page.dags]


def complete_context(
    ctx: click.Context,  # noqa: ARG001 - click's
    param: click.Parameter,  # noqa: ARG001 - click's
    incomplete: str,
) -> list[CompletionItem]:
    """Name the contexts of the file."""
    try:
        names = contexts.load().by_name
    except CatalogError:
        return []
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


def _chosen(ctx: click.Context) -> Chosen:
    """Read the options before the command as far as they have been typed."""
    given = {key: value for key, value in ctx.find_root().params.items() if value is not None}
    known = {key: given[key] for key in Chosen.__dataclass_fields__ if key in given}
    if NAMESPACE_KEY in ctx.meta:
        known["namespace"] = ctx.meta[NAMESPACE_KEY]
    return Chosen(**known)


dag_id_argument = click.argument("dag_id", shell_complete=complete_dag_id)
"""The DAG that a command is about."""
