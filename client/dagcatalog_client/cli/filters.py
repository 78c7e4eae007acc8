"""The options that say which DAGs, for every command that is about some."""

from collections.abc import Callable
from functools import reduce
from typing import TypedDict, TypeVar

import click

from dagcatalog_client.model import DagFilter, DeletedFilter, ScheduleKind

KINDS = {
    kind.name.lower().replace("_", "-"): kind
    for kind in ScheduleKind
    if kind is not ScheduleKind.UNSPECIFIED
}
CommandT = TypeVar("CommandT", bound=Callable[..., object])


class Conditions(TypedDict):
    """What the options give."""

    prefix: str
    text: str
    tags: tuple[str, ...]
    all_tags: tuple[str, ...]
    owners: tuple[str, ...]
    bundle: str
    file: str
    operators: tuple[str, ...]
    schedules: tuple[str, ...]
    changed_after: int
    deleted: bool
    with_deleted: bool


_OPTIONS = (
    click.option("--prefix", default="", help="Start of the dag_id."),
    click.option("--text", default="", help="Found in dag_id, name or description."),
    click.option("--tag", "tags", multiple=True, help="Has one of these tags."),
    click.option("--all-tags", multiple=True, help="Has all of these tags."),
    click.option("--owner", "owners", multiple=True, help="Has one of these owners."),
    click.option("--bundle", default="", help="Name of its bundle."),
    click.option("--file", default="", help="Its file, as a path inside the bundle."),
    click.option("--operator", "operators", multiple=True, help="Uses one of these operators."),
    click.option(
        "--schedule",
        "schedules",
        multiple=True,
        type=click.Choice(list(KINDS)),
        help="Is scheduled so.",
    ),
    click.option(
        "--changed-after",
        type=click.IntRange(min=0),
        default=0,
        metavar="REVISION",
        help="Has changed since.",
    ),
    click.option("--deleted", is_flag=True, help="Deleted DAGs instead of live ones."),
    click.option("--with-deleted", is_flag=True, help="Deleted DAGs too."),
)


def filter_options(command: CommandT) -> CommandT:
    """Give a command every option that says which DAGs."""
    return reduce(lambda inner, option: option(inner), reversed(_OPTIONS), command)


def dag_filter(given: Conditions) -> DagFilter:
    """Return the filter that the options mean.

    Raises:
        click.UsageError: they contradict each other.

    """
    return DagFilter(
        dag_id_prefix=given["prefix"],
        text=given["text"],
        tags_any=given["tags"],
        tags_all=given["all_tags"],
        owners=given["owners"],
        bundle_name=given["bundle"],
        file=given["file"],
        operators=given["operators"],
        schedule_kinds=tuple(KINDS[name] for name in given["schedules"]),
        changed_after_revision=given["changed_after"],
        deleted=_tombstones(given),
    )


def _tombstones(given: Conditions) -> DeletedFilter:
    if given["deleted"] and given["with_deleted"]:
        raise click.UsageError("give --deleted or --with-deleted, not both")
    if given["deleted"]:
        return DeletedFilter.ONLY
    return DeletedFilter.INCLUDE if given["with_deleted"] else DeletedFilter.EXCLUDE
