"""Refuses to overwrite a folder that holds what the job reads, or what it stores elsewhere."""

import os
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from spark_keyframes.errors import ParameterError
from spark_keyframes.jobs.listing import local_path
from spark_keyframes.jobs.options import JobOptions
from spark_keyframes.redaction import redact_url

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SAME_STORE = {"s3a": "s3", "s3n": "s3", "abfss": "abfs", "wasbs": "wasb"}


def check_overwriting(spark: "SparkSession", options: JobOptions) -> None:
    """Raise ParameterError where `mode` overwrite would delete videos, an index or images.

    Spark deletes the whole folder of a table, whatever lies in it.
    """
    if getattr(options, "mode", None) != "overwrite":
        return
    kept = {
        "input": options.input,
        "output_tos_dir": options.sampler.output_tos_dir,
        "open_frames": getattr(options, "open_frames", None),
    }
    for option in ("output", "failed_output"):
        folder = getattr(options, option, None)
        for name, place in kept.items():
            if folder and place and _is_inside(_parts(spark, place), _parts(spark, folder)):
                raise ParameterError(
                    f"`mode` overwrite would delete `{name}` {redact_url(place)!r}: it is in "
                    f"`{option}` {redact_url(folder)!r}; choose another place for the table"
                )


def _parts(spark: "SparkSession", place: str) -> tuple[str, ...]:
    """Return the store of a place, and the names on the way to it."""
    if (path := local_path(spark, place)) is not None:
        return ("", *PurePosixPath(os.path.realpath(path)).parts)
    url = urlsplit(place)
    store = f"{_SAME_STORE.get(url.scheme, url.scheme)}://{url.netloc}"
    return (store, *PurePosixPath(url.path.strip("/")).parts)


def _is_inside(place: tuple[str, ...], folder: tuple[str, ...]) -> bool:
    """Return whether a place, which may be a glob, is a folder or lies in it."""
    pairs = zip(folder, place, strict=False)
    return len(place) >= len(folder) and all(
        name == pattern or fnmatchcase(name, pattern) for name, pattern in pairs
    )
