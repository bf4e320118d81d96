"""`spark-keyframes report`: one page about a table of keyframes, with a gallery."""

from dataclasses import dataclass, field, fields
from typing import ClassVar

import click

from spark_keyframes.command import PlaceType
from spark_keyframes.errors import ParameterError
from spark_keyframes.html.words import counted
from spark_keyframes.jobs.command_line import command_of, with_flags
from spark_keyframes.jobs.option_groups import ACCESS, LIMITS
from spark_keyframes.jobs.options import about
from spark_keyframes.report import ReportOptions, Written, write_report
from spark_keyframes.report.options import PAGE, TABLE


@dataclass(frozen=True, kw_only=True)
class _Options(ReportOptions):
    """The options of the command."""

    not_offered: ClassVar[tuple[str, ...]] = ()

    table: str
    """an argument"""
    output: str = field(default="report.html", metadata=about("The page to write.", PAGE, "FILE"))


def _run(options: _Options) -> int:
    values = {each.name: getattr(options, each.name) for each in fields(ReportOptions)}
    try:
        written = write_report(options.table, options.output, **values)
    except ParameterError as error:
        raise ParameterError(with_flags(str(error), _Options)) from error
    click.echo("\n".join(lines_of(written)))
    return 0


def lines_of(written: Written) -> list[str]:
    """Say what a report has."""
    failed = f", {written.failed:,} failed" if written.failed else ""
    without = f", {written.without_image:,} without an image" if written.without_image else ""
    images = counted(written.images, "image")
    return [
        f"videos     {written.videos:,}{failed}",
        f"gallery    {counted(written.cards, 'video')}, {images}{without}",
        f"report     {written.output} ({written.size / 1e6:.2g} MB)",
    ]


command = command_of(
    _Options,
    name="report",
    run=_run,
    common=("output", "failed", "open_videos", "max_videos", "thumbnail_height"),
    arguments=[click.Argument(["table"], metavar="TABLE", type=PlaceType("dir"))],
    description="Write one self-contained page about a table of keyframes: totals, failures, "
    "where the time went, and a gallery to filter and sort. TABLE is what a job wrote as "
    "--output. Local Parquet is read without Spark.",
    examples=(
        "out/table --output report.html",
        "out/table --failed out/failed --open-videos",
    ),
    groups=(TABLE, PAGE, LIMITS, ACCESS),
)
