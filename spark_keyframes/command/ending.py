"""Ends a command: turns what goes wrong into one line and an exit code."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence

import click

from spark_keyframes.errors import (
    KeyframesError,
    MissingPackageError,
    ModelNotFoundError,
    ParameterError,
)
from spark_keyframes.redaction import redact_text

DONE = 0
FAILED = 1
WRONG_OPTIONS = 2
TOO_MANY_FAILED = 3
INTERRUPTED = 130  # as shells say it: 128 + SIGINT
CLOSED_PIPE = 141  # 128 + SIGPIPE

EXIT_CODES = (
    (DONE, "done"),
    (FAILED, "every video failed, or something broke"),
    (WRONG_OPTIONS, "an option is wrong, or an index is of another model or damaged"),
    (TOO_MANY_FAILED, "more videos failed than --max-failures allows"),
    (INTERRUPTED, "ended by Ctrl-C"),
)
"""Each exit code, and when a command ends with it."""


def run_command(command: click.Command, arguments: Sequence[str] | None, program: str) -> int:
    """Run a command of click, print in one line what goes wrong, and return the exit code.

    Args:
        command: what it returns is the exit code.
        arguments: without the program's name; None: those of this process.
        program: its name, for messages.
    """

    given = sys.argv[1:] if arguments is None else arguments
    called = program

    def run() -> int | None:
        nonlocal called
        # Not command.main, which ends the process where a pipe is closed.
        with command.make_context(program, list(given)) as context:
            try:
                status: int | None = command.invoke(context)
            finally:
                called = " ".join(filter(None, (program, context.invoked_subcommand)))
            return status

    return exit_code(run, lambda: called)


def exit_code(run: Callable[[], int | None], program: Callable[[], str]) -> int:
    """Call `run`, print in one line what goes wrong, and return the exit code.

    Args:
        run: the command; returns its exit code, or None for 0.
        program: returns its name, for messages.
    """
    try:
        status = run() or DONE
        # Here, and not when Python ends: that would print the error of a closed pipe.
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        status = end.exit_code
    except BrokenPipeError:
        # A reader such as `head` has seen enough. Python flushes stdout once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = CLOSED_PIPE
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - see `_described`
        line, status = _described(error, program())
        print(line, file=sys.stderr)
    return status


def _described(error: BaseException, program: str) -> tuple[str, int]:
    """Return what to print about an error, and the exit code."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return f"{program}: interrupted", INTERRUPTED
    if isinstance(error, click.ClickException):
        context = error.ctx if isinstance(error, click.UsageError) else None
        # Redacted, because click quotes the arguments that it refuses.
        message = redact_text(" ".join(_message_of(error).split()))
        name = context.command_path if context else program
        return f"{name}: error: {message}; see --help", error.exit_code
    if isinstance(error, ParameterError | ModelNotFoundError):
        return f"{program}: error: {error}; see --help", WRONG_OPTIONS
    if isinstance(error, MissingPackageError):
        return f"{program}: error: {error}", FAILED
    if isinstance(error, KeyframesError):
        return f"{program}: {type(error).__name__}: {error}", FAILED
    # Python's own traceback would show the secrets of URLs.
    trace = redact_text("".join(traceback.format_exception(error)).rstrip(), lines=True)
    return f"{program}: failed:\n{trace}", FAILED


def _message_of(error: click.ClickException) -> str:
    if isinstance(error, click.BadParameter) and isinstance(error.param, click.Option):
        return f"argument {error.param.opts[0]}: {error.message}"
    return error.format_message()
