"""The command `spark-keyframes`, with a subcommand per file of this folder.

A new subcommand is a file NAME.py with an object `command`, and a line in `COMMANDS`.
"""

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from spark_keyframes.command import close_to, run_command, write_exit_codes
from spark_keyframes.made_by import __version__

PROGRAM = "spark-keyframes"

COMMANDS = {
    "demo": "Draw a video, find the spoon in it on Spark, and show the result.",
    "sample": "Keyframes of one video, without Spark.",
    "transform": "Keyframes of many videos, as a table, on Spark.",
    "ingest": "Keyframes of the videos that are new since the last run, on Spark.",
    "index": "Index many videos, to ask again without decoding, on Spark.",
    "search": "The best moments of an index for a text, on Spark.",
    "report": "One page about a table of keyframes, with a gallery.",
    "doctor": "What is missing here, or on a cluster, and what to do.",
    "completion": "Let bash, zsh or fish complete commands, options and choices.",
}
"""Each subcommand, and a line about it. They are listed in this order, without an import."""

_COMPLETE = "_SPARK_KEYFRAMES_COMPLETE"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Args:
        arguments: without the program's name; None: those of this process.
    """
    if _COMPLETE in os.environ:
        app.main(arguments, prog_name=PROGRAM, complete_var=_COMPLETE)  # it exits
    return run_command(app, arguments, PROGRAM)


class Commands(click.Group):
    """A group whose subcommands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the subcommands, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand; None where there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"spark_keyframes.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the subcommand that `args` begin with, and the rest of them."""
        name = args[0]
        if name not in COMMANDS:
            known = close_to(name, COMMANDS) or f"; there are {', '.join(COMMANDS)}"
            ctx.fail(f"no command {name!r}{known}")
        return name, self.get_command(ctx, name), args[1:]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the subcommands, and the exit codes of all of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
        write_exit_codes(formatter)


def _without_command() -> None:
    context = click.get_current_context()
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


app: Any = Commands(
    name=PROGRAM,
    callback=_without_command,
    invoke_without_command=True,
    help="Find the frames of videos that best match a text.",
    epilog=f"`{PROGRAM} COMMAND --help` explains a command.",
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            help="Print the version.",
            callback=lambda ctx, _, given: _print_version(ctx) if given else None,
        )
    ],
)


def _print_version(ctx: click.Context) -> None:
    click.echo(f"{PROGRAM} {__version__}")
    ctx.exit()
