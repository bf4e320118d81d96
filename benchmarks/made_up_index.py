"""Writes made-up indexes: Parquet files like those of `sampler.index`, with random embeddings.

    python -m benchmarks.made_up_index FOLDER [--candidates 1000000] [--per-video 1200]

Each row is a video, with one candidate per second. Each embedding is a random vector of unit
length. The same arguments give the same numbers. A block of rows at a time is in memory.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

DIMENSIONS = 512
ROW_GROUP_BYTES = 128 * 2**20
"""of embeddings in a row group; parquet.block.size has the same default"""
FILE_BYTES = 4 * ROW_GROUP_BYTES

INFO = {
    "model": "made up",
    "revision": "0" * 40,
    "preprocessing": "none",
    "dimensions": DIMENSIONS,
    "fps": 1.0,
    "start": None,
    "end": None,
    "duration": 0.0,
    "video_stream": 0,
    "version": "0",
}

_CANDIDATE = pa.struct(
    [
        ("frame_id", pa.int64()),
        ("timestamp", pa.float64()),
        ("embedding", pa.list_(pa.float32())),
    ]
)
_INFO = pa.struct(
    [
        ("model", pa.string()),
        ("revision", pa.string()),
        ("preprocessing", pa.string()),
        ("dimensions", pa.int32()),
        ("fps", pa.float64()),
        ("start", pa.float64()),
        ("end", pa.float64()),
        ("duration", pa.float64()),
        ("video_stream", pa.int32()),
        ("version", pa.string()),
    ]
)
SCHEMA = pa.schema(
    [
        ("video", pa.string()),
        ("candidates", pa.list_(_CANDIDATE)),
        ("index_info", _INFO),
    ]
)


def embeddings(video: int, count: int, dimensions: int = DIMENSIONS) -> npt.NDArray[np.float32]:
    """Return the embeddings of a video: random vectors of unit length, float32."""
    made = np.random.default_rng(video).standard_normal((count, dimensions), np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


def rows(first: int, counts: list[int], dimensions: int = DIMENSIONS) -> pa.Table:
    """Return the rows of the videos `first`, `first + 1`, …, with so many candidates each."""
    vectors = np.concatenate(
        [embeddings(first + k, count, dimensions) for k, count in enumerate(counts)]
    )
    seconds = np.concatenate([np.arange(count, dtype=np.float64) for count in counts])
    ends = np.arange(0, len(vectors) + 1, dtype=np.int64) * dimensions
    candidates = pa.StructArray.from_arrays(
        [
            pa.array((seconds * 25).astype(np.int64)),
            pa.array(seconds),
            pa.ListArray.from_arrays(ends.astype(np.int32), vectors.reshape(-1)),
        ],
        fields=list(_CANDIDATE),
    )
    offsets = np.cumsum([0, *counts], dtype=np.int32)
    info = [INFO | {"dimensions": dimensions, "duration": float(count)} for count in counts]
    return pa.table(
        {
            "video": [f"video-{first + k:07}.mp4" for k in range(len(counts))],
            "candidates": pa.ListArray.from_arrays(offsets, candidates),
            "index_info": pa.array(info, _INFO),
        },
        schema=SCHEMA,
    )


def write(
    folder: Path,
    candidates: int,
    per_video: int = 1200,
    *,
    row_group_bytes: int = ROW_GROUP_BYTES,
    file_bytes: int = FILE_BYTES,
    compression: str = "snappy",
) -> Path:
    """Write an index of `candidates` in all into a folder, if it is not there yet."""
    if (folder / "_SUCCESS").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    row_bytes = per_video * DIMENSIONS * 4
    at_once = max(1, row_group_bytes // row_bytes)
    groups_per_file = max(1, file_bytes // (at_once * row_bytes))
    writer: pq.ParquetWriter | None = None
    for number, (first, counts) in enumerate(_blocks(candidates, per_video, at_once)):
        if number % groups_per_file == 0:
            if writer is not None:
                writer.close()
            path = folder / f"part-{number // groups_per_file:05}.parquet"
            # A dictionary of random numbers is as large as they are; Spark gives it up as well.
            writer = pq.ParquetWriter(path, SCHEMA, compression=compression, use_dictionary=False)
        assert writer is not None
        writer.write_table(rows(first, counts), row_group_size=at_once)
    if writer is not None:
        writer.close()
    (folder / "_SUCCESS").touch()
    return folder


def _blocks(candidates: int, per_video: int, at_once: int) -> Iterator[tuple[int, list[int]]]:
    """Yield the number of the first video, and the candidates of each, for each row group."""
    videos = math.ceil(candidates / per_video)
    for first in range(0, videos, at_once):
        numbers = range(first, min(first + at_once, videos))
        yield first, [min(per_video, candidates - n * per_video) for n in numbers]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--candidates", type=int, default=1_000_000)
    parser.add_argument("--per-video", type=int, default=1200)
    parser.add_argument("--row-group-mb", type=float, default=ROW_GROUP_BYTES / 2**20)
    parser.add_argument("--compression", default="snappy")
    options = parser.parse_args()
    write(
        options.folder,
        options.candidates,
        options.per_video,
        row_group_bytes=int(options.row_group_mb * 2**20),
        compression=options.compression,
    )
    print(options.folder)


if __name__ == "__main__":
    main()
