"""`dagctl graph`: what lies between DAGs, and what a change of one reaches."""

from collections.abc import Callable, Iterator, Mapping

import click

from dagcatalog_client.cli.arrows import DAG, Drawing, Node, drawing_of
from dagcatalog_client.cli.context import Context, Output, pass_context
from dagcatalog_client.cli.dots import dot, mermaid
from dagcatalog_client.cli.pictures import svg
from dagcatalog_client.cli.plain import emit
from dagcatalog_client.cli.trees import around, forest
from dagcatalog_client.client import Client
from dagcatalog_client.model import Dependency, ImpactedDag

DRAW: Mapping[str, Callable[[Drawing], Iterator[str]]] = {
    "dot": dot,
    "mermaid": mermaid,
    "svg": svg,
}


@click.command("graph")
@click.argument("dag_id", required=False)
@click.option("--impact", is_flag=True, help="Everything that a change of DAG_ID reaches.")
@click.option(
    "--depth",
    type=click.IntRange(min=1, max=100),
    help="With --impact: so many steps from DAG to DAG, not all.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["tree", *DRAW]),
    default="tree",
    show_default=True,
    help="How it is drawn; -o json and -o yaml give the edges.",
)
@pass_context
def graph(
    context: Context, *, dag_id: str | None, impact: bool, depth: int | None, form: str
) -> None:
    """Draw how DAGs depend on each other: by triggers, sensors and assets.

    Without DAG_ID all DAGs of the namespace that have an edge; with it the DAG and its neighbours.
    """
    if dag_id is None:
        if impact:
            raise click.UsageError("--impact needs a DAG_ID")
        dag_id = ""
    if depth is not None and not impact:
        raise click.UsageError("--depth needs --impact")
    with context.client() as client:
        if impact:
            _impact(context, client, dag_id, depth, form)
        else:
            _dependencies(context, client, dag_id, form)


def _dependencies(context: Context, client: Client, dag_id: str, form: str) -> None:
    edges = client.dependencies(dag_id or None)
    drawing = drawing_of(edges, [dag_id] if dag_id else [])
    match context.output:
        case Output.TABLE:
            _draw(drawing, dag_id, form)
            if not edges and not dag_id:
                click.echo(f"no DAG of {context.namespace} depends on another", err=True)
        case Output.NAME:
            _names(drawing)
        case _:
            emit(edges, context.output)


def _impact(context: Context, client: Client, dag_id: str, depth: int | None, form: str) -> None:
    reached = client.impact(dag_id, max_depth=depth)
    match context.output:
        case Output.TABLE:
            _draw(drawing_of(_edges(reached), [dag_id]), dag_id, form)
            if form == "tree":
                click.echo(_count(dag_id, reached))
        case Output.NAME:
            for one in reached:
                click.echo(one.summary.dag_id)
        case _:
            emit(reached, context.output)


def _draw(drawing: Drawing, dag_id: str, form: str) -> None:
    if form != "tree":
        lines = DRAW[form](drawing)
    elif dag_id:
        lines = around(drawing, Node(DAG, dag_id))
    else:
        lines = forest(drawing)
    for line in lines:
        click.echo(line)


def _names(drawing: Drawing) -> None:
    for node in drawing.nodes:
        if node.kind == DAG:
            click.echo(node.name)


def _edges(reached: tuple[ImpactedDag, ...]) -> list[Dependency]:
    return [edge for one in reached for edge in one.path]


def _count(dag_id: str, reached: tuple[ImpactedDag, ...]) -> str:
    if not reached:
        return f"a change of {dag_id} reaches no other DAG"
    steps = max(one.depth for one in reached)
    dags = "1 DAG" if len(reached) == 1 else f"{len(reached)} DAGs"
    return f"a change of {dag_id} reaches {dags}, in {steps} {'step' if steps == 1 else 'steps'}"
