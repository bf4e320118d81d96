"""Candidates as a column of Arrow, array<struct<frame_id, timestamp, embedding>>.

Embeddings are not copied to Python objects: those of a day of video are 44 million numbers.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from spark_keyframes.errors import IndexMismatchError
from spark_keyframes.result import Candidates
from spark_keyframes.schema import CANDIDATES_DDL, arrow_type

if TYPE_CHECKING:
    import pyarrow as pa


def candidates_array(rows: Sequence[Candidates | None]) -> "pa.Array":
    """Return one list for each row; null for None."""
    import pyarrow as pa

    kind = arrow_type(f"array<struct<{CANDIDATES_DDL}>>")
    struct = kind.value_type
    lists = [pa.array([], kind)]
    for row in rows:
        if row is None or row.embeddings is None:
            lists.append(pa.nulls(1, kind))
            continue
        count, size = row.embeddings.shape
        offsets = np.arange(count + 1, dtype=np.int32) * size
        values = pa.array(np.ascontiguousarray(row.embeddings, np.float32).reshape(-1))
        embeddings = pa.ListArray.from_arrays(offsets, values, struct.field("embedding").type)
        columns = [pa.array(row.frame_ids, pa.int64()), pa.array(row.timestamps, pa.float64())]
        structs = pa.StructArray.from_arrays([*columns, embeddings], fields=list(struct))
        lists.append(pa.ListArray.from_arrays(np.array([0, count], np.int32), structs, kind))
    return pa.concat_arrays(lists)


def read_candidates(column: "pa.Array") -> Iterator[Candidates | None]:
    """Yield the candidates of each row, with embeddings that are views; None for a null.

    Raises:
        IndexMismatchError: candidates lack a field, or their embeddings are not of one length.
    """
    for row in column:
        structs = row.values
        if structs is None:
            yield None
            continue
        frame_ids, timestamps, embeddings = (
            structs.field(name) for name in ("frame_id", "timestamp", "embedding")
        )
        sizes = embeddings.value_lengths().unique()
        nulls = structs.null_count + sum(
            each.null_count for each in (frame_ids, timestamps, embeddings)
        )
        values = embeddings.flatten()
        if nulls or values.null_count or len(sizes) > 1:
            raise IndexMismatchError(
                "the index is damaged: candidates must have a frame_id, a timestamp and an "
                f"embedding each, all of one length; there are {nulls + values.null_count} nulls "
                f"and the lengths {sizes.to_pylist()[:5]}; index the videos again"
            )
        size = sizes[0].as_py() if len(sizes) else 0
        yield Candidates(
            frame_ids.to_pylist(),
            timestamps.to_pylist(),
            [],
            embeddings=values.to_numpy().reshape(len(structs), size),
        )
