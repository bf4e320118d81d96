"""Candidates as a column of Arrow, there and back."""

import numpy as np
import pyarrow as pa
import pytest

from spark_keyframes.errors import IndexMismatchError
from spark_keyframes.index import candidates_array, read_candidates
from spark_keyframes.result import Candidates
from spark_keyframes.schema import CANDIDATES_DDL, arrow_type


def of(count, size=3):
    numbers = np.arange(count * size, dtype=np.float32).reshape(count, size)
    times = [at / 2 for at in range(count)]
    return Candidates(list(range(count)), times, [], embeddings=numbers)


ROWS = [of(2), None, of(0), of(5, size=8), of(1)]


@pytest.mark.parametrize("start", range(5))
def test_candidates_come_back_from_any_part_of_a_column(start):
    column = candidates_array(ROWS)
    assert column.type == arrow_type(f"array<struct<{CANDIDATES_DDL}>>")
    found = list(read_candidates(column.slice(start)))
    assert found == ROWS[start:]
    for row, expected in zip(found, ROWS[start:], strict=True):
        if expected is not None and expected.frame_ids:
            np.testing.assert_array_equal(row.embeddings, expected.embeddings)


def test_a_column_of_64_bit_offsets_is_read_too():
    column = candidates_array(ROWS)
    struct = column.type.value_type
    large = pa.struct([*list(struct)[:2], pa.field("embedding", pa.large_list(pa.float32()))])
    assert list(read_candidates(column.cast(pa.large_list(large)))) == ROWS


@pytest.mark.parametrize(
    "candidate",
    [
        {"frame_id": None, "timestamp": 0.0, "embedding": [1.0]},
        {"frame_id": 0, "timestamp": None, "embedding": [1.0]},
        {"frame_id": 0, "timestamp": 0.0, "embedding": None},
        {"frame_id": 0, "timestamp": 0.0, "embedding": [None]},
        {"frame_id": 0, "timestamp": 0.0, "embedding": [1.0, 2.0]},
        None,
    ],
)
def test_a_damaged_index_is_refused(candidate):
    whole = {"frame_id": 1, "timestamp": 1.0, "embedding": [1.0]}
    column = pa.array([[whole, candidate]], arrow_type(f"array<struct<{CANDIDATES_DDL}>>"))
    with pytest.raises(IndexMismatchError, match="the index is damaged"):
        list(read_candidates(column))
