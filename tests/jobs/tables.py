"""Reads what jobs/sample.py wrote."""

from pathlib import Path

import pyarrow.parquet as pq


def rows(place):
    return pq.read_table(place).to_pylist()


def names(place):
    return sorted(Path(row["video"]).stem for row in rows(place))
