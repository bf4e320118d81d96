"""`spark-keyframes completion`: the script that makes a shell complete the command."""

import click
from click.shell_completion import get_completion_class

from spark_keyframes.command import Argument, Choice, Command

SHELLS = ("bash", "zsh", "fish")


def run(given: dict[str, str]) -> int:
    """Print the script of a shell; return the exit code."""
    context = click.get_current_context().find_root()
    kind = get_completion_class(given["shell"])
    if kind is None:  # click has all of SHELLS
        return 1
    name = str(context.info_name)
    click.echo(
        kind(context.command, {}, name, f"_{name}_COMPLETE".replace("-", "_").upper()).source()
    )
    return 0


command = Command(
    "completion",
    params=[Argument(["shell"], metavar="SHELL", type=Choice(SHELLS), help="bash, zsh or fish.")],
    run=run,
    description="Print a script that makes a shell complete this command.",
    examples=("bash > ~/.spark-keyframes.sh  # and in ~/.bashrc: . ~/.spark-keyframes.sh",),
    exit_codes=False,
)
