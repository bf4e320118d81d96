"""explode_keyframes returns one row per keyframe."""

import pandas as pd
import pytest

from spark_keyframes import ParameterError, rgb_array
from spark_keyframes.errors import EncodeError
from spark_keyframes.spark.explode import explode_keyframes

SCHEMA = (
    "video string, found struct<tos_paths: array<string>, frame_ids: array<bigint>, "
    "scores: array<float>>, found_images array<struct<origin: string>>, error string"
)
ROWS = [
    ("a", (["x/1.jpg", "x/7.jpg"], [1, 7], [0.5, 0.25]), [("one",), ("seven",)], None),
    ("b", ([], [4], [0.75]), [("four",)], None),
    ("c", None, None, "broken"),
]
EXPECTED = [
    ("a", None, 0, 1, 0.5, "x/1.jpg", ("one",)),
    ("a", None, 1, 7, 0.25, "x/7.jpg", ("seven",)),
    ("b", None, 0, 4, 0.75, None, ("four",)),
    ("c", "broken", None, None, None, None, None),
]


def test_a_row_per_keyframe_and_one_for_a_video_that_failed(spark):
    exploded = explode_keyframes(spark.createDataFrame(ROWS, SCHEMA), output_col="FOUND")
    assert exploded.columns == [
        *("video", "error", "frame_index", "frame_id", "score", "tos_path", "image")
    ]
    assert sorted(exploded.collect()) == EXPECTED
    without = explode_keyframes(
        spark.createDataFrame(ROWS, SCHEMA).drop("found_images"), output_col="found"
    )
    assert sorted(without.collect()) == [row[:-1] for row in EXPECTED]


def test_pandas_keeps_images_readable_beside_a_failed_video(spark, sampler, clips):
    videos = spark.createDataFrame([(str(clips[2]),), ("/none.mp4",)], "video string")
    frames = explode_keyframes(sampler.transform(videos)).toPandas()
    images = {tuple(rgb_array(image).shape) for image in frames["image"].dropna()}
    assert (len(frames), images) == (5, {(96, 160, 3)})
    (none,) = frames[frames["image"].isna()]["image"]
    with pytest.raises(EncodeError, match="the row has no image"):
        rgb_array(none)


def test_a_stream_is_exploded(spark, tmp_path):
    spark.createDataFrame(ROWS, SCHEMA).write.parquet(str(tmp_path / "in"))
    stream = spark.readStream.schema(SCHEMA).parquet(str(tmp_path / "in"))
    query = explode_keyframes(stream, output_col="found").writeStream.format("memory")
    query.queryName("exploded").trigger(availableNow=True).start().awaitTermination()
    assert sorted(spark.table("exploded").collect()) == EXPECTED


def test_a_result_of_pandas_is_refused():
    with pytest.raises(ParameterError, match=r"result must be .* of Spark, got pandas.DataFrame"):
        explode_keyframes(pd.DataFrame({"keyframes": [None]}))


def test_missing_and_taken_column_names_are_refused(spark):
    rows = spark.createDataFrame(ROWS, SCHEMA)
    with pytest.raises(
        ParameterError, match="output_col 'keyframes' is not a column.*it has video"
    ):
        explode_keyframes(rows)
    taken = rows.withColumnRenamed("error", "Score")
    with pytest.raises(ParameterError, match="has a column called 'score'.*rename or drop"):
        explode_keyframes(taken, output_col="found")
