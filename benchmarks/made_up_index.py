"""Writes made-up indexes: Parquet files like those of `sampler.index`, with random embeddings.

    python -m benchmarks.made_up_index FOLDER [--candidates 1000000] [--per-video 1200]

Each row is a video with one candidate per second, whose embeddings are random vectors of unit
length. The same arguments give the same numbers. Only one row group at a time is in memory.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from spark_keyframes.index import candidates_array
from spark_keyframes.result import Candidates
from spark_keyframes.schema import CANDIDATES_DDL, INDEX_INFO_DDL, arrow_type

DIMENSIONS = 512
ROW_GROUP_BYTES = 16 * 2**20
FILE_BYTES = 128 * 2**20

SCHEMA = pa.schema(
    [
        ("video", pa.string()),
        ("candidates", arrow_type(f"array<struct<{CANDIDATES_DDL}>>")),
        ("index_info", arrow_type(f"struct<{INDEX_INFO_DDL}>")),
    ]
)


def embeddings(video: int, count: int, dimensions: int = DIMENSIONS) -> npt.NDArray[np.float32]:
    """Return the embeddings of a video: random vectors of unit length, float32."""
    made = np.random.default_rng(video).standard_normal((count, dimensions), np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


def rows(
    first: int, counts: list[int], info: dict[str, Any], dimensions: int = DIMENSIONS
) -> pa.Table:
    """Return the rows of the videos `first`, `first + 1`, …, with so many candidates each.

    `info` is the `index_info` of all of them; the sampler that asks them must have the same model.
    """
    candidates = [
        Candidates(
            [25 * second for second in range(count)],
            [float(second) for second in range(count)],
            [],
            embeddings=embeddings(first + number, count, dimensions),
        )
        for number, count in enumerate(counts)
    ]
    return pa.table(
        {
            "video": [f"video-{first + number:07}.mp4" for number in range(len(counts))],
            "candidates": candidates_array(candidates),
            "index_info": pa.array([info] * len(counts), SCHEMA.field("index_info").type),
        },
        schema=SCHEMA,
    )


def write(
    folder: Path,
    candidates: int,
    info: dict[str, Any],
    *,
    per_video: int = 1200,
    row_group_bytes: int = ROW_GROUP_BYTES,
    file_bytes: int = FILE_BYTES,
) -> Path:
    """Write an index of so many candidates in all into a folder, if it is not there yet."""
    done = folder / "_SUCCESS"
    if done.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    row_bytes = per_video * DIMENSIONS * 4
    of_group = max(1, row_group_bytes // row_bytes)
    groups = list(_row_groups(candidates, per_video, of_group))
    of_file = max(1, file_bytes // (of_group * row_bytes))
    for start in range(0, len(groups), of_file):
        path = folder / f"part-{start // of_file:05}.parquet"
        # A dictionary of random numbers is as large as they are; Spark gives it up as well.
        with pq.ParquetWriter(path, SCHEMA, use_dictionary=False) as writer:
            for first, counts in groups[start : start + of_file]:
                writer.write_table(rows(first, counts, info), row_group_size=len(counts))
    done.touch()
    return folder


def _row_groups(candidates: int, per_video: int, videos: int) -> Iterator[tuple[int, list[int]]]:
    """Yield the number of the first video, and the candidates of each, for each row group."""
    step = videos * per_video
    for start in range(0, candidates, step):
        end = min(start + step, candidates)
        yield (
            start // per_video,
            [min(per_video, end - first) for first in range(start, end, per_video)],
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--candidates", type=int, default=1_000_000)
    parser.add_argument("--per-video", type=int, default=1200)
    options = parser.parse_args()
    print(write(options.folder, options.candidates, {}, per_video=options.per_video))


if __name__ == "__main__":
    main()
