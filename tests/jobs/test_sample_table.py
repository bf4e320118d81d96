"""What jobs/sample.py writes to its table: each video once, in batches, in any format."""

import re
import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spark_keyframes import ParameterError
from spark_keyframes.jobs.failure_limit import TooManyFailuresError
from tests.jobs.tables import names, rows


@pytest.mark.slow
def test_resume_adds_what_the_table_lacks(run, folder, clips, tmp_path):
    table = tmp_path / "table"
    status, printed = run(folder, "--resume", "--no-return-keyframes")
    assert status == 0
    assert "videos     3: 2 with keyframes, 1 failed" in printed
    first = {path.name: path.stat().st_mtime_ns for path in table.glob("*.parquet")}

    shutil.copy(clips[2], folder / "d.mp4")
    # The files of a job that was killed while it wrote: those of the tasks that had ended. Spark's
    # committer would publish them with the files of the next job.
    left = table / "_temporary" / "0" / "task_202601010000_0000_m_000000"
    left.mkdir(parents=True)
    shutil.copy(next(table.glob("*.parquet")), left / "part-00000-left.parquet")
    _, printed = run(folder, "--resume", "--no-return-keyframes", "--account-col", "took")
    assert "known      3 videos: in the table already" in printed
    assert "videos     1: 1 with keyframes, 0 failed" in printed
    assert names(table) == ["b", "broken", "c", "d"]
    assert not left.exists()
    after = {path.name: path.stat().st_mtime_ns for path in table.glob("*.parquet")}
    assert first.items() < after.items(), "earlier files are not changed"

    _, printed = run(folder, "--resume", "--no-return-keyframes")
    assert "videos     0: nothing new" in printed
    assert names(table) == ["b", "broken", "c", "d"]


@pytest.mark.slow
def test_a_table_of_the_catalogue(run, spark, folder, tmp_path):
    spark.sql(f"CREATE DATABASE lake LOCATION '{tmp_path}/lake'")
    try:
        given = ["--output-table", "lake.keyframes", "--resume", "--no-return-keyframes"]
        run(f"{folder}/b.mp4", *given)
        stored = tmp_path / "lake" / "keyframes"
        left = stored / "_temporary" / "0" / "task_202601010000_0000_m_000000"
        left.mkdir(parents=True)
        shutil.copy(next(stored.glob("*.parquet")), left / "part-00000-left.parquet")
        _, printed = run(folder, *given)
        assert "table      lake.keyframes" in printed
        videos = spark.table("lake.keyframes").select("video").collect()
        assert sorted(Path(row["video"]).stem for row in videos) == ["b", "broken", "c"]
        kept = spark.sql("SHOW CREATE TABLE lake.keyframes").first()[0]
        assert "attempt" not in kept
        assert "row.check" not in kept
    finally:
        spark.sql("DROP DATABASE lake CASCADE")


@pytest.mark.slow
def test_columns_that_come_later_are_null_in_older_rows(run, spark, folder, tmp_path):
    table = str(tmp_path / "table")
    run(f"{folder}/b.mp4", "--no-return-keyframes")
    run(f"{folder}/c.mp4", "--no-return-keyframes", "--mode", "append", "--account-col", "took")
    merged = spark.read.option("mergeSchema", True).parquet(table)
    decoded = dict(merged.select("video", "took.frames_decoded").collect())
    assert decoded[f"{folder}/b.mp4"] is None
    assert decoded[f"{folder}/c.mp4"] > 0


@pytest.mark.slow
def test_batches_that_are_written_remain(run, folder, tmp_path):
    """The table is written video by video, until one too many has failed."""
    table = tmp_path / "table"
    given = ["--videos-per-batch", "1", "--no-return-keyframes"]
    with pytest.raises(TooManyFailuresError):
        run(folder, *given, "--max-failures", "0")
    kept = names(table) if table.exists() else []
    assert "broken" not in kept
    _, printed = run(folder, *given, "--resume")
    assert names(table) == ["b", "broken", "c"]
    assert f"videos     {3 - len(kept)}: {2 - len(kept)} with keyframes, 1 failed" in printed
    assert "failed     1 at stage demux" in printed, "summed up over the batches"


@pytest.mark.slow
def test_failed_videos_have_their_own_table_and_are_tried_again(run, folder, clips, tmp_path):
    table, failed = tmp_path / "table", tmp_path / "failed"
    given = ["--failed-output", failed, "--resume"]
    run(folder, *given)
    assert names(table) == ["b", "c"]
    (row,) = rows(failed)
    assert row["error"]["error"] == "NotAVideoError"
    assert row.keys() == {"video", "error", "made_by"}

    shutil.copy(clips[0], folder / "broken.mp4")
    _, printed = run(folder, *given)
    assert "videos     0: nothing new" in printed
    _, printed = run(folder, *given, "--retry-failed")
    assert "videos     1: 1 with keyframes, 0 failed" in printed
    assert names(table) == ["b", "broken", "c"]


@pytest.mark.slow
def test_a_row_per_keyframe_in_partitions(run, spark, folder, tmp_path):
    listed = tmp_path / "films.parquet"
    films = [(f"{folder}/{name}.mp4", name, year) for name, year in [("b", 1), ("c", 2)]]
    films += [(f"{folder}/broken.mp4", "broken", 2), (None, "none", 3), (films[0][0], "b", 1)]
    columns = dict(zip(("url", "title", "year"), map(list, zip(*films, strict=True)), strict=True))
    pq.write_table(pa.table(columns), listed)
    given = ["--input-col", "url", "--explode", "--partition-by", "year", "--resume"]
    given += ["--images", "arrays"]
    _, printed = run(listed, *given)
    assert "left out   1 rows without a video" in printed
    assert "known      1 videos: in the table already, or given twice" in printed
    assert "frame 0, score" in printed
    table = tmp_path / "table"
    assert {path.name for path in table.iterdir() if path.is_dir()} == {"year=1", "year=2"}
    found = rows(table)
    assert Counter((row["title"], row["frame_index"]) for row in found) == Counter(
        [("b", 0), ("b", 1), ("c", 0), ("c", 1), ("broken", None)]
    )
    for row in found:
        if row["title"] == "broken":
            assert row["error"]["stage"] == "demux"
            assert row["image"] is row["score"] is row["frame_id"] is None
        else:
            assert row["image"]["nChannels"] == 3
            assert row["tos_path"] is None, "none was asked for"
    _, printed = run(listed, *given)
    assert "videos     0: nothing new" in printed


@pytest.mark.slow
def test_columns_of_any_name_and_case(run, spark, folder, tmp_path):
    paths = sorted(map(str, folder.iterdir()))
    found = [(path, "spoon", number % 2) for number, path in enumerate(paths)]
    videos = spark.createDataFrame(found, "`my.video` string, `the``text` string, `a.b` int")
    videos.write.parquet(str(tmp_path / "videos.parquet"))
    source = [tmp_path / "videos.parquet", "--input-col", "MY.Video", "--text-col", "the`text"]
    source += ["--text", "", "--output-col", "key.`frames", "--error-col", "why.not"]
    source += ["--account-col", "took.`", "--partition-by", "A.B", "--no-return-keyframes"]
    source += ["--failed-output", tmp_path / "failed", "--explode"]
    status, printed = run(*source)
    assert status == 0
    assert "videos     3: 2 with keyframes, 1 failed" in printed
    assert re.search(r"\| *my\.video *\| *key\.`frames *\| *why\.not *\|", printed)
    assert re.search(r"c\.mp4\| *frame \d+, score", printed)
    assert {Path(row["my.video"]).stem for row in rows(tmp_path / "table")} == {"b", "c"}
    assert [row["why.not"]["error"] for row in rows(tmp_path / "failed")] == ["NotAVideoError"]
    assert "known      3 videos" in run(*source, "--resume")[1]


@pytest.mark.slow
def test_videos_in_rows_are_known_by_their_id(run, folder, clips, tmp_path):
    listed, given = tmp_path / "films.parquet", ["--video-src-type", "video_binary", "--resume"]
    given += ["--input-col", "film", "--no-return-keyframes"]
    film = clips[2].read_bytes()
    pq.write_table(pa.table({"film": [film, film], "id": [1, 2]}), listed)
    for _ in range(2):
        run(listed, *given, "--id-col", "id")
        assert sorted(row["id"] for row in rows(tmp_path / "table")) == [1, 2]
    pq.write_table(pa.table({"film": [film, film], "id": [3, 3]}), listed)
    with pytest.raises(ParameterError, match="several rows have id=3"):
        run(listed, *given, "--id-col", "id")


def test_a_table_that_exists_is_an_error_with_the_remedy(run, folder, tmp_path):
    (tmp_path / "table").mkdir()
    with pytest.raises(ParameterError, match="already exists.*`resume`"):
        run(folder)


def test_a_format_without_its_package_is_an_error(run, folder):
    with pytest.raises(ParameterError, match="does not know the format 'delta'.*package"):
        run(folder, "--format", "delta")


def test_partition_columns_are_of_the_result(run, folder):
    with pytest.raises(ParameterError, match="`partition_by` 'year' is not a column.*it has video"):
        run(folder, "--partition-by", "year")


@pytest.mark.slow
@pytest.mark.parametrize("table_format", ["orc", "json"])
def test_other_file_formats(run, spark, folder, table_format, tmp_path):
    given = ["--format", table_format, "--option", "compression=none", "--max-file-bytes", "0"]
    run(f"{folder}/c.mp4", *given)
    run(folder, *given, "--resume")
    table = spark.read.format(table_format).load(str(tmp_path / "table"))
    found = table.select("video", "keyframes.frame_ids", "error.stage").collect()
    assert sorted(Path(row["video"]).stem for row in found) == ["b", "broken", "c"]
    assert all((row["frame_ids"] is None) == (row["stage"] == "demux") for row in found)
