"""What jobs/sample.py does to its table: each video once, files of a size, rows per keyframe."""

import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spark_keyframes import ParameterError, VideoAdaptiveKeyframesSampling
from spark_keyframes.jobs.failure_limit import TooManyFailuresError
from spark_keyframes.jobs.run import parameters_of
from spark_keyframes.jobs.table import Table, new_rows
from tests.jobs.job import load_job

SAMPLE = load_job("sample")


@pytest.fixture
def folder(clips, tmp_path):
    """Two videos and one that is none."""
    folder = tmp_path / "videos"
    folder.mkdir()
    shutil.copy(clips[1], folder / "b.mp4")
    shutil.copy(clips[2], folder / "c.mp4")
    (folder / "broken.mp4").write_bytes(b"no video at all" * 50)
    return folder


@pytest.fixture
def run(spark, models, tmp_path, capsys):
    """Run the job in this process, into tmp_path/table; its exit code and what it printed."""

    def run(source, *arguments):
        given = ["--input", source, "--text", "spoon"]
        if "--output-table" not in arguments:
            given += ["--output", tmp_path / "table"]
        given += ["--model-path", models, "--clip-model-name", "small", "--max-num-frames", "2"]
        options = SAMPLE.parse([str(value) for value in (*given, "--fps", "2", *arguments)])
        parameters = parameters_of(options, VideoAdaptiveKeyframesSampling)
        capsys.readouterr()
        status = SAMPLE.run(spark, VideoAdaptiveKeyframesSampling(**parameters), options)
        return status, capsys.readouterr().out

    return run


def rows(place):
    return pq.read_table(place).to_pylist()


def names(place):
    return sorted(Path(row["video"]).stem for row in rows(place))


def test_resume_adds_what_the_table_lacks(run, folder, clips, tmp_path):
    table = tmp_path / "table"
    status, printed = run(folder, "--resume", "--no-return-keyframes")
    assert status == 0
    assert "videos     3: 2 with keyframes, 1 failed" in printed
    first = {path.name: path.stat().st_mtime_ns for path in table.glob("*.parquet")}

    shutil.copy(clips[2], folder / "d.mp4")
    # What a job left that was killed as it wrote: the tasks that had ended. Spark's committer
    # publishes them with those of the next job.
    left = table / "_temporary" / "0" / "task_202601010000_0000_m_000000"
    left.mkdir(parents=True)
    shutil.copy(next(table.glob("*.parquet")), left / "part-00000-left.parquet")
    _, printed = run(folder, "--resume", "--no-return-keyframes", "--account-col", "took")
    assert "known      3 videos: in the table already" in printed
    assert "videos     1: 1 with keyframes, 0 failed" in printed
    assert names(table) == ["b", "broken", "c", "d"]
    assert not left.exists()
    after = {path.name: path.stat().st_mtime_ns for path in table.glob("*.parquet")}
    assert first.items() < after.items(), "what was written is not touched"

    _, printed = run(folder, "--resume", "--no-return-keyframes")
    assert "videos     0: nothing new" in printed
    assert names(table) == ["b", "broken", "c", "d"]


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


def test_columns_that_come_later_are_null_in_older_rows(run, spark, folder, tmp_path):
    table = str(tmp_path / "table")
    run(f"{folder}/b.mp4", "--no-return-keyframes")
    run(f"{folder}/c.mp4", "--no-return-keyframes", "--mode", "append", "--account-col", "took")
    merged = spark.read.option("mergeSchema", True).parquet(table)
    decoded = dict(merged.select("video", "took.frames_decoded").collect())
    assert decoded[f"{folder}/b.mp4"] is None
    assert decoded[f"{folder}/c.mp4"] > 0


def test_batches_that_are_written_stay(run, folder, tmp_path):
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


def test_failed_videos_have_a_table_of_their_own_and_are_tried_again(run, folder, clips, tmp_path):
    table, failed = tmp_path / "table", tmp_path / "failed"
    given = ["--failed-output", failed, "--resume"]
    run(folder, *given)
    assert names(table) == ["b", "c"]
    (row,) = rows(failed)
    assert row["error"]["error"] == "NotAVideoError"
    assert row.keys() == {"video", "error"}

    shutil.copy(clips[0], folder / "broken.mp4")
    _, printed = run(folder, *given)
    assert "videos     0: nothing new" in printed
    _, printed = run(folder, *given, "--retry-failed")
    assert "videos     1: 1 with keyframes, 0 failed" in printed
    assert names(table) == ["b", "broken", "c"]


def test_a_row_per_keyframe_in_partitions(run, spark, folder, tmp_path):
    listed = tmp_path / "films.parquet"
    films = [(f"{folder}/{name}.mp4", name, year) for name, year in [("b", 1), ("c", 2)]]
    films += [(f"{folder}/broken.mp4", "broken", 2), (None, "none", 3), (films[0][0], "b", 1)]
    columns = dict(zip(("url", "title", "year"), map(list, zip(*films, strict=True)), strict=True))
    pq.write_table(pa.table(columns), listed)
    given = ["--input-col", "url", "--explode", "--partition-by", "year", "--resume"]
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


def test_videos_in_rows_need_an_id(run, folder, clips, tmp_path):
    listed, given = tmp_path / "films.parquet", ["--video-src-type", "video_binary", "--resume"]
    given += ["--input-col", "film", "--no-return-keyframes"]
    film = clips[2].read_bytes()
    pq.write_table(pa.table({"film": [film, film], "id": [1, 2]}), listed)
    with pytest.raises(ParameterError, match="does not keep a 'video_binary'.*give --id-col"):
        run(listed, *given)
    for _ in range(2):
        run(listed, *given, "--id-col", "id")
        assert sorted(row["id"] for row in rows(tmp_path / "table")) == [1, 2]
    pq.write_table(pa.table({"film": [film, film], "id": [3, 3]}), listed)
    with pytest.raises(ParameterError, match="several rows have id=3"):
        run(listed, *given, "--id-col", "id")


def test_a_table_that_exists_is_said_with_what_to_do(run, folder, tmp_path):
    (tmp_path / "table").mkdir()
    with pytest.raises(ParameterError, match="already exists.*--resume"):
        run(folder)


def test_a_format_without_its_package_is_said(run, folder):
    with pytest.raises(ParameterError, match="does not know the format 'delta'.*package"):
        run(folder, "--format", "delta")


def test_partition_columns_are_of_the_result(run, folder):
    with pytest.raises(ParameterError, match="--partition-by 'year' is not a column.*it has video"):
        run(folder, "--partition-by", "year")


@pytest.mark.parametrize("table_format", ["orc", "json"])
def test_other_formats_of_files(run, spark, folder, table_format, tmp_path):
    given = ["--format", table_format, "--option", "compression=none", "--max-file-bytes", "0"]
    run(f"{folder}/c.mp4", *given)
    run(folder, *given, "--resume")
    table = spark.read.format(table_format).load(str(tmp_path / "table"))
    found = table.select("video", "keyframes.frame_ids", "error.stage").collect()
    assert sorted(Path(row["video"]).stem for row in found) == ["b", "broken", "c"]
    assert all((row["frame_ids"] is None) == (row["stage"] == "demux") for row in found)


def test_the_columns_suit_every_table_format(spark, sampler):
    """No type that Delta, Iceberg, ORC or Avro lacks; all nullable; names that differ by more than
    case, and that Avro takes.
    """
    from pyspark.sql import types as st

    plain = (st.StringType, st.LongType, st.IntegerType, st.FloatType, st.DoubleType, st.BinaryType)

    def check(kind):
        if isinstance(kind, st.ArrayType):
            assert kind.containsNull
            check(kind.elementType)
        elif isinstance(kind, st.StructType):
            lower = [field.name.lower() for field in kind]
            assert len(set(lower)) == len(lower)
            for field in kind:
                assert field.nullable
                assert not field.metadata
                assert field.name.isidentifier()
                check(field.dataType)
        else:
            assert type(kind) in plain

    videos = spark.createDataFrame([], "video string")
    result = sampler.transform(videos, error_col="error", account_col="account")
    from spark_keyframes.spark.explode import explode_keyframes

    check(result.schema)
    check(explode_keyframes(result).schema)


@pytest.mark.parametrize("tasks", [1, 40])
def test_files_have_about_the_size_asked_for(spark, tmp_path, tasks):
    """40 rows of 100 KB, from one task and from as many as there are rows."""
    frame = spark.range(0, 40, 1, tasks).selectExpr(
        "string(id) video", "id % 2 AS day", "cast(randstr(100000, 1) AS binary) data"
    )
    table = Table(place=str(tmp_path / "t"), file_bytes=1_500_000)
    before = spark.conf.get("spark.sql.adaptive.advisoryPartitionSizeInBytes")
    table.save(table.even(frame, "video"), "error")
    sizes = [path.stat().st_size for path in (tmp_path / "t").glob("*.parquet")]
    assert sum(sizes) > 40 * 70_000
    assert max(sizes) < 1_700_000, "about a row more than was asked for"
    assert len(sizes) <= 5
    assert spark.conf.get("spark.sql.adaptive.advisoryPartitionSizeInBytes") == before


def test_large_rows_take_no_more_of_parquets_memory_than_they_must(spark, tmp_path):
    """By default it looks at its memory after 100 rows, and keeps the least and largest value."""
    frame = spark.range(0, 10, 1, 1).selectExpr(
        "id", "array(struct(cast(randstr(1000000, 1) AS binary) data)) images"
    )
    table = Table(place=str(tmp_path / "t"), options={"parquet.block.size": "1000000"})
    table.save(frame, "error")
    (path,) = (tmp_path / "t").glob("*.parquet")
    written = pq.ParquetFile(path)
    assert written.num_row_groups >= 5
    number, image = (written.metadata.row_group(0).column(index) for index in (0, 1))
    assert image.path_in_schema == "images.list.element.data"
    assert number.statistics is not None
    assert image.statistics is None
    assert set(image.encodings) == {"PLAIN", "RLE"}, "no dictionary"


def test_new_rows_by_two_columns_of_which_one_may_be_null(spark):
    """The same video with another text is another row."""
    schema = "video string, `a.text` string"
    videos = spark.createDataFrame([("v", "x"), ("v", "y"), ("v", None), (None, "x")], schema)
    table = spark.createDataFrame([("v", "x"), ("v", None)], schema)
    assert new_rows(videos, ["video", "a.text"], [table]).collect() == [("v", "y")]
    assert new_rows(videos, ["video", "a.text"], []).count() == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume"], "--resume needs a table"),
        (["--explode"], "--explode needs a table"),
        (["--output", "x", "--resume", "--mode", "append"], "leave --mode append out"),
        (["--output", "x", "--retry-failed"], "--retry-failed needs --failed-output"),
        (["--output", "x", "--option", "compression"], "must be KEY=VALUE, got 'compression'"),
        (["--output", "x", "--output-table", "y"], "not allowed with argument"),
        (["--output", "x", "--videos-per-batch", "0"], "must be at least 1, got 0"),
        (["--output", "x", "--videos-per-batch", "9", "--limit", "5"], "leave one of them out"),
        (
            ["--output", "x", "--explode", "--option", "maxRecordsPerFile=9"],
            "would divide the keyframes of a video",
        ),
        (
            ["--output", "x", "--failed-output", "y", "--on-error", "raise"],
            "--failed-output is of no use",
        ),
    ],
)
def test_options_that_do_not_go_together(arguments, message, capsys):
    with pytest.raises(SystemExit):
        SAMPLE.parse(["--input", "x", *arguments])
    assert message in capsys.readouterr().err
