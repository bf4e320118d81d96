"""The made-up index has the layout of an index, the same numbers each time, and all candidates."""

import numpy as np
import pyarrow.parquet as pq

from benchmarks import made_up_index


def test_it_has_so_many_candidates_of_unit_length(tmp_path):
    row = 50 * made_up_index.DIMENSIONS * 4
    made_up_index.write(
        tmp_path / "index", 220, {}, per_video=50, row_group_bytes=row, file_bytes=2 * row
    )
    files = sorted((tmp_path / "index").glob("*.parquet"))
    assert [pq.ParquetFile(file).metadata.num_row_groups for file in files] == [2, 2, 1]
    table = pq.read_table(tmp_path / "index")
    assert table["video"].to_pylist() == [f"video-{number:07}.mp4" for number in range(5)]
    candidates = table["candidates"].to_pylist()
    assert list(map(len, candidates)) == [50, 50, 50, 50, 20]
    assert [each["timestamp"] for each in candidates[4]] == [float(k) for k in range(20)]
    vectors = np.array([each["embedding"] for row in candidates for each in row], np.float32)
    assert vectors.shape == (220, made_up_index.DIMENSIONS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_the_numbers_of_a_video_do_not_depend_on_its_block():
    together = made_up_index.rows(3, [4, 5], {}, dimensions=8)
    assert made_up_index.rows(4, [5], {}, dimensions=8).equals(together.slice(1))
