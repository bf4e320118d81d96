"""Writes the report of a table."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spark_keyframes.errors import ParameterError
from spark_keyframes.listing.videos import path_of_local
from spark_keyframes.redaction import redact_url
from spark_keyframes.report.gather import Video, gather
from spark_keyframes.report.options import ReportOptions, table_place
from spark_keyframes.report.page import Contents, page_html
from spark_keyframes.report.pictures import (
    Pictures,
    choose,
    from_storage,
    from_table,
    from_videos,
)
from spark_keyframes.report.shape import shape_of
from spark_keyframes.report.tables import open_table
from spark_keyframes.report.totals import Totals
from spark_keyframes.storage import write_url
from spark_keyframes.urls import is_local


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a report has."""

    output: str
    """where it is, without credentials"""
    size: int
    """in bytes"""
    videos: int
    """in the table, and in that of failed videos"""
    failed: int
    """of these"""
    cards: int
    """videos in the gallery, one for each text"""
    images: int
    """small images"""
    without_image: int
    """keyframes in the gallery that have none"""


def write_report(
    table: "str | os.PathLike[str] | Any",
    output: "str | os.PathLike[str]" = "report.html",
    **options: Any,
) -> Written:
    """Write one self-contained page about a result: totals, failures, time and a gallery.

        write_report("out/table", "report.html", failed="out/failed")

    Args:
        table: the path of a table that a job wrote, or a URL or the name of one that Spark reads;
            or a DataFrame of Spark or pandas with a result of `transform`. Local Parquet is read
            without Spark.
        output: the file to write, as a path or a URL.
        **options: the fields of `ReportOptions`.

    Raises:
        ParameterError: an option is wrong, or the table is no result, such as an index.
        SourceNotFoundError: there is no table.
        MissingPackageError: only Spark can read the table, and it is not installed.
        KeyframesError: the table cannot be read, or the page cannot be written.
    """
    return _write(table, table_place(output), ReportOptions(**options))


def _write(table: Any, output: str, options: ReportOptions) -> Written:
    """Write a report, as `write_report`."""
    if is_local(output) and Path(path_of_local(output)).is_dir():
        raise ParameterError(f"`output` {output!r} is a folder; give a file, e.g. report.html")
    sources = [(open_table(table, options.format), options.max_videos)]
    if options.failed:
        sources.append(
            (open_table(options.failed, options.format), max(1, options.max_videos // 2))
        )
    shapes = [shape_of(rows.kinds, rows.name, options) for rows, _ in sources]
    totals, videos = Totals(), list[Video]()
    # The failed ones first, for their share of the gallery; they are shown after the others.
    for (rows, most), shape in reversed(list(zip(sources, shapes, strict=True))):
        videos = gather(rows, shape, totals, most - len(videos)) + videos
    pictures = Pictures(choose(videos, options.max_images))
    for (rows, _), shape in zip(sources, shapes, strict=True):
        from_table(rows, shape, videos, pictures, options.thumbnail_height)
    from_storage(videos, pictures, options, _progress)
    if options.open_videos:
        from_videos(videos, pictures, options, _progress)
    html = page_html(
        Contents(
            name=sources[0][0].name,
            failed_name=redact_url(options.failed or ""),
            made_at=time.strftime("%Y-%m-%d %H:%M"),
            totals=totals,
            videos=pictures.cards(videos),
            not_stored=pictures.not_stored,
            missing=pictures.reasons,
        )
    )
    data = html.encode("utf-8", "replace")
    write_url(output, data, content_type="text/html; charset=utf-8")
    return Written(
        output=redact_url(output),
        size=len(data),
        videos=totals.videos,
        failed=totals.failed,
        cards=len(videos),
        images=len(pictures.found),
        without_image=len(pictures.open),
    )


def _progress(items: Iterable[Any], count: int, what: str) -> Iterable[Any]:
    """Show a bar in a terminal."""
    from tqdm import tqdm

    bar: Iterable[Any] = tqdm(
        items, total=count, desc=what, disable=None if count else True, leave=False
    )
    return bar
