"""transform(): the documented result, unchanged other columns, and errors as values."""

import base64
import decimal
import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import functions as sf

from spark_keyframes import ParameterError
from spark_keyframes.account import Account
from spark_keyframes.arrow import result_rows
from spark_keyframes.arrow.columns import AddedColumns, Columns
from spark_keyframes.engine import Pipeline
from spark_keyframes.result import Candidates, Keyframes
from spark_keyframes.schema import (
    arrow_type,
    spark_type,
)
from spark_keyframes.spark import arrow_stage as engine_spark
from spark_keyframes.spark.arrow_stage import ArrowStage
from tests.conftest import REPO
from tests.spark.conftest import check_rows
from tests.video.clips import number_in
from tests.video.tracks import DEFAULT, Track, joined, large, small


def test_the_struct_is_exactly_the_documented_one(plain, videos):
    field = plain.transform(videos).schema["keyframes"]
    assert field.dataType.simpleString() == (
        "struct<tos_paths:array<string>,frame_ids:array<bigint>,scores:array<float>>"
    )
    assert field.nullable


def test_rows_come_back_in_order_with_the_keyframes_of_sample(plain, videos, expected):
    rows = plain.transform(videos).collect()
    assert [row["id"] for row in rows] == list(range(7))
    check_rows(rows, expected)


def test_images_are_in_spark_s_image_schema(spark, sampler, videos):
    from pyspark.ml.image import ImageSchema

    result = sampler.transform(videos.limit(1))
    image_type = result.schema["keyframes_images"].dataType.elementType
    theirs = ImageSchema.columnSchema
    assert [(f.name, f.dataType) for f in image_type] == [(f.name, f.dataType) for f in theirs]
    (row,) = result.collect()
    assert len(row["keyframes_images"]) == 4
    for image, number in zip(row["keyframes_images"], row["keyframes"]["frame_ids"], strict=True):
        array = ImageSchema.toNDArray(image)
        assert array.shape == (96, 160, 3)
        assert number_in(array[:, :, ::-1]) == number
        assert image["mode"] == ImageSchema.ocvTypes["CV_8UC3"]
        assert image["origin"] == row["video"]


def test_an_image_s_origin_is_where_it_is_stored(sampler, videos, tmp_path):
    stored = replace(sampler, output_tos_dir=str(tmp_path), img_type=".png")
    (row,) = stored.transform(videos.limit(1)).collect()
    assert [image["origin"] for image in row["keyframes_images"]] == row["keyframes"]["tos_paths"]
    from PIL import Image

    for path, image in zip(row["keyframes"]["tos_paths"], row["keyframes_images"], strict=True):
        pixels = np.asarray(Image.open(path))[:, :, ::-1]
        assert pixels.tobytes() == bytes(image["data"])


def test_other_columns_pass_through_exactly(spark, plain, clips):
    big = 2**60 + 1  # a float would lose the 1
    rows = [
        (big, decimal.Decimal("1.10"), {"a": [1, None]}, None, str(clips[2])),
        (None, None, None, b"\x00", None),
    ]
    schema = "n bigint, d decimal(10,2), m map<string, array<int>>, b binary, video string"
    frame = spark.createDataFrame(rows, schema).withColumn("t", sf.lit("2026-01-02").cast("date"))
    result = plain.transform(frame, output_col="found")
    assert result.columns == ["n", "d", "m", "b", "video", "t", "found"]
    assert result.drop("found").schema == frame.schema
    before, after = frame.collect(), result.drop("found").collect()
    assert after == before


def test_a_null_video_or_text_is_a_null_result(spark, plain, clips):
    rows = [(None, "spoon"), (str(clips[2]), None), (str(clips[2]), "spoon")]
    frame = spark.createDataFrame(rows, "video string, prompt string")
    result = plain.transform(frame, text_col="prompt", error_col="why").collect()
    assert [row["keyframes"] is None for row in result] == [True, True, False]
    assert [row["why"] for row in result] == [None, None, None]


def test_a_text_per_row(spark, plain, clips):
    rows = [(str(clips[0]), "spoon"), (str(clips[0]), "a red car")]
    frame = spark.createDataFrame(rows, "video string, prompt string")
    result = plain.transform(frame, text_col="prompt").collect()
    for row in result:
        alone = plain.sample(row["video"], text=row["prompt"])
        assert row["keyframes"]["frame_ids"] == alone.frame_ids
        assert row["keyframes"]["scores"] == pytest.approx(alone.scores, abs=1e-6)
    assert result[0]["keyframes"]["scores"] != result[1]["keyframes"]["scores"]


def test_a_failure_is_null_with_its_reason(spark, plain, clips):
    frame = spark.createDataFrame([(str(clips[2]),), ("/none.mp4",)], "video string")
    good, bad = plain.transform(frame, error_col="why").collect()
    assert good["why"] is None
    assert bad["keyframes"] is None
    assert bad["why"]["stage"] == "open"
    assert bad["why"]["error"] == "SourceNotFoundError"
    assert "/none.mp4" in bad["why"]["message"]


def test_the_video_stream_that_was_asked_for(spark, sampler, tmp_path):
    (tmp_path / "two.mp4").write_bytes(joined("mp4", Track(large(), DEFAULT), Track(small())))
    (tmp_path / "one.mp4").write_bytes(small())
    rows = [(str(tmp_path / name),) for name in ("two.mp4", "one.mp4")]
    frame = spark.createDataFrame(rows, "video string").coalesce(1)
    two, one = replace(sampler, video_stream=1).transform(frame, error_col="why").collect()
    assert two.keyframes_images[0].width == 64
    assert one.why.error == "NoVideoStreamError"
    assert "no video stream 1; set video_stream to one of 0 (h264 64×48, default)" in (
        one.why.message
    )


def test_on_error_raise_fails_the_job_with_the_row_and_the_reason(spark, plain):
    from pyspark.errors import PythonException

    frame = spark.createDataFrame([("/none.mp4",)], "video string")
    with pytest.raises(PythonException, match=r"SourceNotFoundError: .*/none\.mp4"):
        plain.transform(frame, on_error="raise").collect()


@pytest.mark.parametrize("kind", ["video_base64", "video_binary"])
def test_base64_and_binary_give_what_the_path_gives(spark, plain, clips, expected, kind):
    data = clips[0].read_bytes()
    value, column = (data, "binary")
    if kind == "video_base64":
        value, column = (base64.b64encode(data).decode(), "string")
    frame = spark.createDataFrame([(1, value)], f"id int, video {column}")
    same = replace(plain, video_src_type=kind)
    (row,) = same.transform(frame).collect()
    assert row.asDict().keys() == {"id", "keyframes"}, "the result holds the video"
    assert row["keyframes"]["frame_ids"] == expected[str(clips[0])].frame_ids
    (kept,) = same.transform(frame, keep_video=True).collect()
    assert kept["video"] == value


def test_a_relative_output_folder_is_the_driver_s(plain, videos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (row,) = replace(plain, output_tos_dir="out").transform(videos.limit(1)).collect()
    paths = row["keyframes"]["tos_paths"]
    assert len(paths) == 4
    assert all(path.startswith(f"{tmp_path}/out/") for path in paths)
    assert all(Path(path).is_file() for path in paths)


def test_sample_takes_a_path_and_gives_comparable_results(plain, clips):
    assert plain.sample(clips[2]) == plain.sample(str(clips[2]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_col": "film"}, "input_col 'film' is not a column .* it has id, video"),
        ({"input_col": "id"}, "input_col 'id' is of type int, but 'video_url' needs string"),
        ({"text_col": "id"}, "text_col 'id' is of type int, but texts are string"),
        ({"output_col": "ID"}, "two columns called 'ID'"),
        ({"error_col": "keyframes"}, "two columns called 'keyframes'"),
        ({"account_col": "ID"}, "two columns called 'ID'; .* as output_col"),
        ({"account_col": "why", "error_col": "why"}, "two columns called 'why'"),
        ({"on_error": "skip"}, "on_error must be one of null, raise, got 'skip'"),
    ],
)
def test_columns_are_checked_on_the_driver(plain, videos, options, message):
    with pytest.raises(ParameterError, match=message):
        plain.transform(videos, **options)


def test_what_is_no_dataframe_is_refused_with_the_remedy(plain):
    with pytest.raises(ParameterError, match=r"got pandas.DataFrame; use spark.createDataFrame"):
        plain.index(pd.DataFrame({"video": ["a.mp4"]}))
    with pytest.raises(ParameterError, match=r"Spark or pandas, got pyarrow.Table; .* to_pandas"):
        plain.transform(pa.table({"video": ["a.mp4"]}))


def test_an_empty_dataframe_gives_an_empty_one(spark, plain):
    assert plain.transform(spark.createDataFrame([], "video string")).collect() == []


def test_counts_can_be_observed(spark, plain, clips):
    from pyspark.sql import Observation

    frame = spark.createDataFrame([(str(clips[2]),), ("/none.mp4",)], "video string")
    seen = Observation("videos")
    result = plain.transform(frame, error_col="why").observe(
        seen, sf.count("keyframes").alias("done"), sf.count("why").alias("failed")
    )
    result.collect()
    assert seen.get == {"done": 1, "failed": 1}


def flushed_batches(pipeline, images, rows, batch_bytes, monkeypatch):
    monkeypatch.setattr(result_rows, "_BATCH_BYTES", batch_bytes)
    batch = pa.RecordBatch.from_arrays([pa.array([str(n) for n in range(rows)])], ["video"])
    kept = columns(passed=["video"], images="images")
    result = result_rows.ResultRows(batch, kept, [""] * rows, pipeline)
    flushed = []
    for number in range(rows):
        result.add(Keyframes([], [number], [0.5], [0.0], images, Candidates([], [], []), Account()))
        if result.complete or result.are_due:
            flushed.append(result.flush())
    return flushed


def test_large_results_are_flushed_in_parts_and_none_is_lost(plain, monkeypatch):
    image = np.zeros((100, 100, 3), np.uint8)
    pipeline = Pipeline(plain.make_module(), plain)
    parts = flushed_batches(pipeline, [image], 10, 65_000, monkeypatch)
    assert [part.num_rows for part in parts] == [3, 3, 3, 1]
    table = pa.Table.from_batches(parts)
    assert table["video"].to_pylist() == [str(n) for n in range(10)]
    assert [cell["frame_ids"] for cell in table["k"].to_pylist()] == [[n] for n in range(10)]


def test_a_row_too_large_for_spark_is_a_failure(sampler, videos, monkeypatch):
    monkeypatch.setattr(engine_spark, "_ROW_BYTES", 10_000)
    stage = ArrowStage(
        Pipeline(sampler.make_module(), sampler),
        columns(passed=["video"], images="images", error="why"),
        "null",
    )
    batch = pa.RecordBatch.from_pylist([{"video": videos.first()["video"]}])
    (result,) = stage(iter([batch]))
    (row,) = result.to_pylist()
    assert (row["k"], row["images"], row["why"]["error"]) == (None, None, "RowTooLargeError")


def test_types_in_spark_and_in_arrow_are_the_same():
    from pyspark.sql.pandas.types import to_arrow_type

    names = {each: each for each in ("images", "timestamps", "curve", "error", "account")}
    for images_as in ("arrays", "encoded"):
        added = AddedColumns(output="k", images_as=images_as, made_by="made_by", **names)
        assert len(added.types) == 7
        for ddl in added.types.values():
            assert to_arrow_type(spark_type(ddl)) == arrow_type(ddl)


def columns(passed, **added):
    return Columns(
        read=["video"],
        input="video",
        text=None,
        passed=passed,
        added=AddedColumns(**{"output": "k"} | added),
    )


def test_the_stage_pickles_to_less_than_4_kb(plain):
    from pyspark import cloudpickle

    pipeline = Pipeline(plain.make_module(), plain)
    stage = ArrowStage(pipeline, columns(passed=[]), "null")
    assert len(cloudpickle.dumps(stage)) < 4000


PROGRAM = """
    import sys
    from pyspark.sql import SparkSession
    from spark_keyframes import VideoAdaptiveKeyframesSampling

    class MySampler(VideoAdaptiveKeyframesSampling):
        '''A class that only __main__ defines.'''

    models, master, *videos = sys.argv[1:]
    spark = SparkSession.builder.master(master).config("spark.ui.enabled", "false").getOrCreate()
    sampler = MySampler(text="spoon", model_path=models, clip_model_name="small", fps=5,
                        max_num_frames=4, dtype="float32", return_keyframes=False)
    frame = spark.createDataFrame([(v,) for v in videos], "video string").repartition(2, "video")
    for row in sampler.transform(frame).collect():
        print("RESULT", row["video"], *row["keyframes"]["frame_ids"])
    spark.stop()
"""


@pytest.mark.slow
@pytest.mark.parametrize("master", ["local[*]", "local-cluster[2,1,1024]"])
def test_runs_from_a_program_s_main_on_every_master(models, clips, expected, master, tmp_path):
    import pyspark

    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    environment = {
        **os.environ,
        # local-cluster starts its executors with the scripts of SPARK_HOME.
        "SPARK_HOME": str(Path(pyspark.__file__).parent),
        "PYTHONPATH": str(REPO),
    }
    done = subprocess.run(
        [sys.executable, str(program), str(models), master, *map(str, clips)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("RESULT")]
    assert len(lines) == 3, done.stderr
    for video, *frame_ids in lines:
        assert [int(number) for number in frame_ids] == expected[video].frame_ids


def test_an_index_too_large_for_spark_is_a_failure(plain, clips, monkeypatch):
    monkeypatch.setattr(engine_spark, "_ROW_BYTES", 1_500)
    stage = ArrowStage(
        Pipeline(plain.make_module(), plain, embeddings=True),
        columns(passed=["video"], output=None, candidates="c", info="i", error="why"),
        "null",
    )
    batch = pa.RecordBatch.from_pylist([{"video": str(clips[0])}, {"video": str(clips[2])}])
    (result,) = stage(iter([batch]))
    failed, done = result.to_pylist()
    assert failed["why"]["error"] == "RowTooLargeError"
    assert "index the video in several parts" in failed["why"]["message"]
    assert failed["c"] is None
    assert len(done["c"]) == 6
