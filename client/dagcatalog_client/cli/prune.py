"""`dagctl prune`: drop old versions, and what nothing points at."""

import re
import sys
from datetime import timedelta

import click

from dagcatalog_client.cli.context import Context, Output, pass_context
from dagcatalog_client.cli.plain import emit
from dagcatalog_client.cli.tables import size_text
from dagcatalog_client.model import PruneResult

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(\d{1,6})([smhdw])")


def _duration(ctx: click.Context, option: click.Parameter, value: str | None) -> timedelta | None:
    if value is None:
        return None
    if not (found := _DURATION.fullmatch(value)):
        wanted = f"{value!r} is not a number with s, m, h, d or w: 90d"
        raise click.BadParameter(wanted, ctx, option)
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


@click.command("prune")
@click.option(
    "--keep-versions", type=click.IntRange(min=1), help="Keep so many versions of each DAG."
)
@click.option(
    "--keep-for",
    metavar="DURATION",
    callback=_duration,
    help="Keep versions that were current within it: 90d, 12h.",
)
@click.option("--pin", "pinned", multiple=True, metavar="HASH", help="Keep this content.")
@click.option(
    "--compact",
    "compact_revision",
    type=click.IntRange(min=1),
    metavar="REVISION",
    help="Forget the change log up to this revision.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would go, drop nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_context
def prune(
    context: Context,
    *,
    keep_versions: int | None,
    keep_for: timedelta | None,
    pinned: tuple[str, ...],
    compact_revision: int | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Drop versions that no option keeps, and content that nothing points at.

    Current versions always stay. With neither --keep-versions nor --keep-for, every version does.
    Revisions before the one that the answer names can no longer be read, in any namespace.
    """
    if not dry_run and not yes:
        _confirm(f"Prune namespace {context.namespace} of {context.address}?")
    with context.client() as client:
        result = client.prune(
            keep_versions=keep_versions or 0,
            keep_for=keep_for,
            pinned_hashes=pinned,
            compact_revision=compact_revision or 0,
            validate_only=dry_run,
        )
    match context.output:
        case Output.TABLE:
            click.echo(_sentence(result, dry_run=dry_run))
        case Output.NAME:
            click.echo(result.compacted_revision)
        case _:
            emit(result, context.output)


def _confirm(question: str) -> None:
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise click.UsageError("nobody is there to answer: add --yes, or --dry-run") from None
    if not agreed:
        raise click.ClickException("nothing was pruned")


def _sentence(result: PruneResult, *, dry_run: bool) -> str:
    done = "would drop" if dry_run else "dropped"
    return (
        f"{done} {result.version_count} versions and {result.blob_count} contents "
        f"({size_text(result.stored_bytes)}); the oldest readable revision "
        f"{'would be' if dry_run else 'is'} {result.compacted_revision}"
    )
