"""Finds the videos that a table lacks, and divides them into parts."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from spark_keyframes.redaction import redact_url
from spark_keyframes.spark.columns import column

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def new_rows(
    videos: "DataFrame", keys: Sequence[str], tables: "Sequence[DataFrame]"
) -> "DataFrame":
    """Return the rows of `videos` that none of the tables has; they stay in their tasks.

    Args:
        videos: rows with the columns `keys`.
        keys: two rows with equal values in these are the same video. A row is left out where the
            first of them is null.
        tables: the rows that are written already.
    """
    from pyspark.sql import functions as sf

    new = videos.where(column(keys[0]).isNotNull())
    wanted = new.select(*(column(key) for key in keys))
    for table in tables:
        names = [f"known_{uuid4().hex}" for _ in keys]
        known = table.select(
            *(column(key).alias(name) for key, name in zip(keys, names, strict=True))
        )
        same = sf.lit(True)
        for key, name in zip(keys, names, strict=True):
            same = same & column(key).eqNullSafe(sf.col(name))  # a text may be null
        # First reduce a large table to the videos in question: no more than `videos` has.
        known = known.join(wanted, same, "left_semi").distinct()
        new = new.join(sf.broadcast(known), same, "left_anti")
    return new


def duplicate_keys(videos: "DataFrame", keys: Sequence[str]) -> str | None:
    """Return values of `keys` that two rows share, as "name=value, …"; None: there are none."""
    from pyspark.sql import functions as sf

    columns = [column(key) for key in keys]
    counted = videos.where(columns[0].isNotNull()).groupBy(*columns).agg(sf.count(sf.lit(1)))
    found = counted.where(sf.col("count(1)") > 1).first()
    if found is None:
        return None
    values = (found[i] for i in range(len(keys)))
    shown = (redact_url(each) if isinstance(each, str) else each for each in values)
    return ", ".join(f"{key}={each!r}" for key, each in zip(keys, shown, strict=True))


def hash_parts(videos: "DataFrame", keys: Sequence[str], count: int) -> "Iterator[DataFrame]":
    """Yield the rows in `count` parts of about the same size, by the hash of their keys."""
    from pyspark.sql import functions as sf

    if count == 1:
        yield videos
        return
    part = sf.pmod(sf.xxhash64(*(column(key) for key in keys)), sf.lit(count))
    for number in range(count):
        yield videos.where(part == number)
