"""Parts of videos in the jobs: `start_col` and `end_col`, and which rows a table has already."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spark_keyframes import ParameterError
from tests.jobs.tables import rows


def listed(place, *segments):
    """Write a table of (video, begin, finish)."""
    names = ("video", "begin", "finish")
    columns = [pa.array([each[n] for each in segments]) for n in range(3)]
    pq.write_table(pa.table(dict(zip(names, columns, strict=True))), place)
    return place


@pytest.mark.parametrize("ids", [[], ["--id-col", "video"]])
def test_each_part_is_a_row_once(run, clips, tmp_path, ids):
    video, source = str(clips[0]), tmp_path / "parts.parquet"
    given = ["--input-col", "video", "--start-col", "begin", "--end-col", "finish", *ids]
    given.append("--resume")
    listed(source, (video, 0.0, 2.0), (video, 2.0, None), (video, 9.0, None))
    _, printed = run(source, *given)
    assert "videos     3: 2 with keyframes, 1 failed" in printed
    found = {row["begin"]: row for row in rows(tmp_path / "table")}
    assert all(time < 2 for time in found[0.0]["timestamps"])
    assert all(time >= 2 for time in found[2.0]["timestamps"])
    assert found[9.0]["error"]["error"] == "WindowError"
    listed(source, (video, 0.0, 2.0), (video, 2.0, None), (video, 2.0, 3.0), (video, 9.0, None))
    _, printed = run(source, *given)
    assert "videos     1: 1 with keyframes" in printed
    parts = sorted((row["begin"], row["finish"] or 0.0) for row in rows(tmp_path / "table"))
    assert parts == [(0.0, 2.0), (2.0, 0.0), (2.0, 3.0), (9.0, 0.0)]
    assert "videos     0: nothing new" in run(source, *given)[1]


def test_a_table_of_whole_videos_takes_no_parts(run, folder, clips, tmp_path):
    run(folder / "c.mp4")
    source = listed(tmp_path / "parts.parquet", (str(clips[0]), 0.0, 1.0))
    with pytest.raises(
        ParameterError, match="has no column 'begin', so that its rows are of whole"
    ):
        run(source, "--input-col", "video", "--start-col", "begin", "--resume")
