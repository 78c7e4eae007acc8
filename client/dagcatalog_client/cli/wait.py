"""`dagctl wait`: until a change has arrived everywhere."""

import click

from dagcatalog_client.cli import exits
from dagcatalog_client.cli.context import Context, Output, pass_context
from dagcatalog_client.cli.plain import emit
from dagcatalog_client.cli.status import CONSUMER_COLUMNS, consumer_row
from dagcatalog_client.cli.tables import print_table
from dagcatalog_client.model import Propagation

MAX_WAIT_S = 600


@click.command("wait")
@click.argument("revision", type=click.IntRange(min=1), required=False)
@click.option(
    "--for",
    "wait_s",
    type=click.FloatRange(min=0, max=MAX_WAIT_S),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help=f"How long to wait, to {MAX_WAIT_S}.",
)
@pass_context
def wait(context: Context, *, revision: int | None, wait_s: float) -> int:
    """Wait until every consumer of the namespace has applied REVISION; 1 if some have not.

    Without REVISION everything that is there now. Those that have not are listed.
    """
    with context.client() as client:
        wanted = revision or client.status().position
        waited = client.await_propagation(wanted, wait_s=wait_s)
    number = wanted if isinstance(wanted, int) else wanted.revision
    match context.output:
        case Output.TABLE:
            _tell(context, waited, number)
        case Output.NAME:
            for one in waited.lagging:
                click.echo(one.consumer_id)
        case _:
            emit({"revision": number, **_facts(waited)}, context.output)
    return exits.OK if waited.propagated else exits.FAILED


def _tell(context: Context, waited: Propagation, revision: int) -> None:
    if waited.propagated:
        click.echo(f"revision {revision} has arrived at every consumer of {context.namespace}")
        return
    print_table(context.console, CONSUMER_COLUMNS, map(consumer_row, waited.lagging))
    lagging = len(waited.lagging)
    who = "1 consumer has" if lagging == 1 else f"{lagging} consumers have"
    click.echo(f"{who} not acknowledged revision {revision}")


def _facts(waited: Propagation) -> dict[str, object]:
    return {"propagated": waited.propagated, "lagging": waited.lagging}
