"""``harness completion SHELL``: the script that gives a shell the commands, options and files."""

from __future__ import annotations

import click

_PLACES = {
    "bash": "~/.bashrc",
    "zsh": "~/.zshrc",
    "fish": "~/.config/fish/completions/harness.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(sorted(_PLACES)))
def command(shell: str) -> None:
    """Print the completion script for SHELL.

    For bash and zsh, put  eval "$(harness completion SHELL)"  into the shell's start-up file; for fish, write
    the output to ~/.config/fish/completions/harness.fish.
    """
    from click.shell_completion import get_completion_class

    from harness.cli.main import cli

    completion_class = get_completion_class(shell)
    assert completion_class is not None
    click.echo(completion_class(cli, {}, "harness", "_HARNESS_COMPLETE").source())
