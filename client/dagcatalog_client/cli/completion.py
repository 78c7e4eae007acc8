"""`dagctl completion`: the script with which a shell completes dagctl."""

import click
from click.shell_completion import get_completion_class

from dagcatalog_client.cli.completing import COMPLETE_VARIABLE

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script that completes commands, options and dag_ids.

    \b
    bash: source <(dagctl completion bash)         in ~/.bashrc
    zsh:  source <(dagctl completion zsh)          in ~/.zshrc, after compinit
    fish: dagctl completion fish | source          in ~/.config/fish/config.fish

    The dag_ids come from the catalog, within a second; if it is away, there are none.
    """  # noqa: D301 - click's mark is the character, not its escape
    made = get_completion_class(shell)
    if made is None:
        raise click.ClickException(f"there is no completion for {shell}")
    click.echo(made(ctx.find_root().command, {}, "dagctl", COMPLETE_VARIABLE).source())
