"""Writes an index of videos of 24 hours as the jobs do, reads it, and prints what was read.

Usage: day_long_rows.py FOLDER ROWS
"""

import json
import sys

from pyspark.sql import functions as sf

from benchmarks import made_up_index
from spark_keyframes.jobs.session import start_spark
from spark_keyframes.jobs.table import Table
from spark_keyframes.schema import CANDIDATES_DDL

SECONDS = 24 * 3600


def made(batches):
    for batch in batches:
        for video in batch.column(0).to_pylist():
            row = made_up_index.rows(video, [SECONDS], {}).select(["video", "candidates"])
            yield from row.combine_chunks().to_batches()


def seen(batches):
    """The candidates and the last embedding's first number of each row, in Python."""
    import pyarrow as pa

    for batch in batches:
        for video, row in zip(*batch.columns, strict=True):
            last = row.values[-1]["embedding"][0].as_py()
            yield pa.RecordBatch.from_pylist(
                [{"video": video.as_py(), "count": len(row), "last": last}]
            )


def main(folder, count):
    spark = start_spark()
    rows = spark.range(0, count, 1, 2).mapInArrow(
        made, f"video string, candidates array<struct<{CANDIDATES_DDL}>>"
    )
    Table(place=folder).save(rows, "error")
    index = spark.read.parquet(folder)
    index.write.format("noop").mode("overwrite").save()
    last = sf.element_at("candidates", -1)["embedding"][0]
    by_spark = index.select("video", sf.size("candidates"), last).collect()
    by_python = index.select("video", "candidates").mapInArrow(
        seen, "video string, count long, last double"
    )
    print(json.dumps([sorted(map(tuple, rows)) for rows in (by_spark, by_python.collect())]))
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
