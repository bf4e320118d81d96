"""The subcommands that run a job on Spark: those of jobs/, from anywhere."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import click

from spark_keyframes.cli.submitting import check_spark, has_pyspark, submit
from spark_keyframes.command import Command, Option, PlaceType, Text
from spark_keyframes.jobs.command_line import command_of
from spark_keyframes.jobs.option_groups import SPARK

_MASTER = "Where Spark runs: local[4], spark://HOST:7077, yarn, k8s://… Default: all CPUs here."
_OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--master", {"metavar": "URL", "help": _MASTER, "common": True}),
    (
        "--conf",
        {
            "metavar": "KEY=VALUE",
            "help": "A setting of Spark, such as spark.executor.memory=8g; may be repeated.",
            "multiple": True,
            "common": True,
        },
    ),
    (
        "--deploy-mode",
        {
            "metavar": "MODE",
            "help": "Where the driver runs: client (here) or cluster, whose machines need this "
            "package at the same path.",
        },
    ),
    ("--driver-memory", {"metavar": "SIZE", "help": "The memory of the driver, such as 4g."}),
    (
        "--packages",
        {"metavar": "NAMES", "help": "Packages of Maven, such as those for S3 or Delta."},
    ),
    ("--py-files", {"metavar": "FILES", "help": "Python files of your own, such as a module."}),
    (
        "--properties-file",
        {"metavar": "FILE", "help": "A file of settings.", "type": PlaceType("file")},
    ),
)
"""The options of spark-submit that are listed; any other goes before "--"."""


def job_command(module: str, name: str) -> click.Command:
    """Return the subcommand of a job.

    In this process, Python starts a local Spark, or that of the settings in SPARK_CONF_DIR. With an
    option of spark-submit, or without pyspark, it starts itself again by spark-submit.

    Args:
        module: of the job, with a `JOB`.
        name: of the subcommand.
    """
    if not has_pyspark():
        return _Submitted(name)
    job = import_module(module).JOB

    def run(options: Any) -> int:
        check_spark(name)
        status: int = job.run_as(click.get_current_context().command_path, options)
        return status

    return command_of(
        job.options,
        name=name,
        run=run,
        common=job.common,
        description=job.description,
        examples=job.examples,
        kind=_JobCommand,
        more=tuple(_spark_options()),
    )


def _spark_options() -> Iterator[Option]:
    for name, about in _OPTIONS:
        yield Option([name], group=SPARK, **{"type": Text(), **about})


class _JobCommand(Command):
    """A command whose options of spark-submit make it start itself again."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Sort the words; those before "--" are for spark-submit."""
        if "--" in args and not ctx.resilient_parsing:
            place = args.index("--")
            ctx.meta["before"] = args[:place]
            args = args[place + 1 :]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the job, here or by spark-submit."""
        spark = {name for name, _ in _OPTIONS}
        given: Sequence[tuple[str, str | None]] = ctx.meta["words"].options
        options = [f"{name}={value}" for name, value in given if name in spark]
        before = ctx.meta.get("before", [])
        if not options and not before:
            return super().invoke(ctx)
        own = [_word(name, value) for name, value in given if name not in spark]
        return submit([*before, *_separate(options)], str(self.name), own)


class _Submitted(click.Command):
    """The command where Python finds no pyspark: spark-submit brings it."""

    def __init__(self, name: str) -> None:
        settings = {"ignore_unknown_options": True, "allow_extra_args": True}
        super().__init__(name, add_help_option=False, context_settings=settings)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words as they are."""
        ctx.args = list(args)
        return ctx.args

    def invoke(self, ctx: click.Context) -> Any:
        """Run the job by spark-submit, which finds pyspark."""
        place = ctx.args.index("--") if "--" in ctx.args else -1
        return submit(ctx.args[: max(place, 0)], str(self.name), ctx.args[place + 1 :])


def _word(name: str, value: str | None) -> str:
    return name if value is None else f"{name}={value}"


def _separate(options: Sequence[str]) -> Iterator[str]:
    """Yield each `--name=value` as two words, as wrappers of spark-submit expect them."""
    for option in options:
        yield from option.split("=", 1)
