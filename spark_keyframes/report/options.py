"""What a report shows, and how much of it."""

import os
from dataclasses import dataclass, field

from spark_keyframes.checks import check_integer, path_text
from spark_keyframes.command import Group
from spark_keyframes.errors import ParameterError
from spark_keyframes.jobs.options import about
from spark_keyframes.limits import Limits
from spark_keyframes.storage import Access

TABLE = Group("table", "the table")
PAGE = Group("page", "what the page shows")


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """What a report shows, and how much of it.

    Args:
        format: The table's format: parquet, orc, json, delta, iceberg, … or 'table' for a name in
            the catalogue. Default: what the files look like, else parquet.
        failed: The table of failed videos, where the job had `failed_output`.
        video_col: The column with the videos' names. Default: video, path, url or the like.
        text_col: The column with the texts. Default: text, else the text of made_by.
        keyframes_col: The column of the result. Default: the one that has its type.
        start_col: The column with where the part of each video begins, in seconds. Default: start,
            if it has numbers.
        end_col: The column with where that part ends, in seconds. Default: end, if it has numbers.
        open_videos: Decode the keyframes that have no image, from the videos, on this machine.
        video_stream: With `open_videos`: the number of the video stream, as the job had it.
        thumbnail_height: The height of the small images, in pixels.
        max_videos: The most videos in the gallery, one for each text. The totals are of all.
        max_images: The most small images. Each video has an equal part of them: its best keyframes.
            The times and scores of the others are listed.
        access: The addresses that images and videos may be read from.
        limits: Bounds on reading them, as for a job.

    Raises:
        ParameterError: a value is out of range. It is a ValueError too.
    """

    format: str | None = field(
        default=None,
        metadata=about(
            "The table's format: parquet, orc, json, delta, iceberg, … or 'table' for a name in "
            "the catalogue. Default: what the files look like, else parquet.",
            TABLE,
            "FORMAT",
        ),
    )
    failed: str | None = field(
        default=None,
        metadata=about(
            "The table of failed videos, where the job had `failed_output`.",
            TABLE,
            "WHERE",
        ),
    )
    video_col: str | None = field(
        default=None,
        metadata=about(
            "The column with the videos' names. Default: video, path, url or the like.",
            TABLE,
            "NAME",
        ),
    )
    text_col: str | None = field(
        default=None,
        metadata=about(
            "The column with the texts. Default: text, else the text of made_by.",
            TABLE,
            "NAME",
        ),
    )
    keyframes_col: str | None = field(
        default=None,
        metadata=about(
            "The column of the result. Default: the one that has its type.",
            TABLE,
            "NAME",
        ),
    )
    start_col: str | None = field(
        default=None,
        metadata=about(
            "The column with where the part of each video begins, in seconds. Default: start, if "
            "it has numbers.",
            TABLE,
            "NAME",
        ),
    )
    end_col: str | None = field(
        default=None,
        metadata=about(
            "The column with where that part ends, in seconds. Default: end, if it has numbers.",
            TABLE,
            "NAME",
        ),
    )
    open_videos: bool = field(
        default=False,
        metadata=about(
            "Decode the keyframes that have no image, from the videos, on this machine.",
            PAGE,
        ),
    )
    video_stream: int | None = field(
        default=None,
        metadata=about(
            "With `open_videos`: the number of the video stream, as the job had it.",
            PAGE,
        ),
    )
    thumbnail_height: int = field(
        default=120,
        metadata=about(
            "The height of the small images, in pixels.",
            PAGE,
        ),
    )
    max_videos: int = field(
        default=1000,
        metadata=about(
            "The most videos in the gallery, one for each text. The totals are of all.",
            PAGE,
        ),
    )
    max_images: int = field(
        default=8000,
        metadata=about(
            "The most small images. Each video has an equal part of them: its best keyframes. The"
            " times and scores of the others are listed.",
            PAGE,
        ),
    )
    access: Access = field(
        default_factory=Access,
        metadata={"doc": "The addresses that images and videos may be read from."},
    )
    limits: Limits = field(
        default_factory=Limits, metadata={"doc": "Bounds on reading them, as for a job."}
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "failed", path_text(self.failed))
        for name, least, hint in (
            ("thumbnail_height", 16, "use e.g. 120"),
            ("max_videos", 1, "use e.g. 1000"),
            ("max_images", 0, "use 0 for a page without images"),
        ):
            check_integer(f"`{name}`", getattr(self, name), least, hint)
        if self.thumbnail_height > 1080:
            raise ParameterError(
                f"`thumbnail_height` must be at most 1080, got {self.thumbnail_height}; the page "
                "holds all images"
            )
        for name in ("video_col", "text_col", "keyframes_col", "start_col", "end_col", "failed"):
            if getattr(self, name) == "":
                raise ParameterError(f"`{name}` is empty; give a name, or leave it out")


def table_place(table: "str | os.PathLike[str]") -> str:
    """Return a table's path, URL or name as text; ParameterError where it is empty."""
    place = path_text(table)
    if not isinstance(place, str) or not place.strip():
        raise ParameterError(
            f"the table must be a path, a URL or a DataFrame, got {place!r}; use e.g. out/table"
        )
    return place
