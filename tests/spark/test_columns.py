"""Columns of any name and type: they pass through, or are refused by name before anything runs."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
from pyspark.ml.linalg import Vectors
from pyspark.sql import Observation
from pyspark.sql import functions as sf

from spark_keyframes import ParameterError, explode_keyframes
from spark_keyframes.ml import KeyframeSampler
from spark_keyframes.spark.columns import column, quoted
from spark_keyframes.spark.monitoring.metrics import metrics

ODD = ["a", "a.b", "a`b", "*", "`", " ", "勺 0", "a[0]", "frame"]
RESULTS = {"output_col": "key.frames", "error_col": "why`", "account_col": "what.it.took"}


@pytest.fixture
def odd(spark, clips):
    """A struct `a` with a field `b`, a column `a.b`, and others that Spark would parse."""
    rows = [
        (str(clips[2]), "spoon", ("inner",), *range(1, len(ODD))),
        ("/none.mp4", "spoon", None, *[None] * (len(ODD) - 1)),
    ]
    others = ", ".join(f"{quoted(name)} int" for name in ODD[1:])
    kinds = f"`my.video` string, `the``text` string, a struct<b: string>, {others}"
    return spark.createDataFrame(rows, kinds)


@contextmanager
def case_sensitive(spark):
    spark.conf.set("spark.sql.caseSensitive", "true")
    try:
        yield
    finally:
        spark.conf.unset("spark.sql.caseSensitive")


def check(rows, before, keyframes):
    """The result of a good video and of a missing one, and the other columns unchanged."""
    assert [row[:-3] for row in rows] == [tuple(row) for row in before]
    assert [row["key.frames"] and row["key.frames"]["frame_ids"] for row in rows] == [
        keyframes.frame_ids,
        None,
    ]
    assert [row["why`"] and row["why`"]["error"] for row in rows] == [None, "SourceNotFoundError"]
    assert rows[0]["what.it.took"]["frames_scored"] > 0


def test_names_that_spark_would_parse(plain, odd, clips):
    seen = Observation()
    result = plain.transform(odd, input_col="my.video", text_col="the`text", **RESULTS)
    assert result.columns == [*odd.columns, *RESULTS.values()]
    assert result.select(*map(column, odd.columns)).schema == odd.schema
    rows = result.observe(seen, *metrics(**RESULTS)).collect()
    check(rows, odd.collect(), plain.sample(clips[2]))
    counts = seen.get
    assert (counts["done"], counts["failed"]) == (1, 1)
    assert counts["frames_scored"] == rows[0]["what.it.took"]["frames_scored"]


def test_the_same_in_the_ml_stage_and_in_a_udf(plain, odd, clips):
    keyframes = plain.sample(clips[2])
    stage = KeyframeSampler(
        text="spoon", modelPath=plain.model_path, clipModelName="small", fps=5.0, maxNumFrames=4,
        dtype="float32", returnKeyframes=False, inputCol="my.video", outputCol="key.frames",
        errorCol="why`", accountCol="what.it.took",
    )  # fmt: skip
    check(stage.transform(odd).collect(), odd.collect(), keyframes)
    called = plain.udf()(column("my.video"), column("the`text"))
    rows = odd.withColumn("key.frames", called).collect()
    assert [row["key.frames"] and row["key.frames"]["frame_ids"] for row in rows] == [
        keyframes.frame_ids,
        None,
    ]


@pytest.mark.slow
def test_the_same_in_a_stream(plain, odd, clips, tmp_path):
    odd.write.json(str(tmp_path / "in"))
    stream = odd.sparkSession.readStream.schema(odd.schema).json(str(tmp_path / "in"))
    query = plain.transform(stream, input_col="my.video", **RESULTS).writeStream.format("memory")
    query.queryName("odd").trigger(availableNow=True).start().awaitTermination()
    rows = odd.sparkSession.table("odd").orderBy(column("a.b").desc()).collect()
    check(rows, odd.collect(), plain.sample(clips[2]))


def test_a_row_per_keyframe_keeps_odd_names(sampler, odd):
    result = sampler.transform(odd, input_col="my.video", **RESULTS)
    frames = explode_keyframes(result, output_col="key.frames")
    others = [*odd.columns, "why`", "what.it.took"]
    added = ["frame_index", "frame_id", "score", "tos_path", "image"]
    assert frames.columns == [*others, *added]
    rows = frames.select(*map(column, others[:-2]), "frame_index").collect()
    good, missing = odd.collect()
    assert rows == [*((*good, index) for index in range(4)), (*missing, None)]


def test_case_tells_columns_apart_where_spark_does(spark, sampler, clips):
    rows = [(1, 2, "/none.mp4", str(clips[2]))]
    with case_sensitive(spark):
        frame = spark.createDataFrame(rows, "id int, ID int, VIDEO string, video string")
        result = sampler.transform(frame, output_col="Id")
        assert result.columns == ["id", "ID", "VIDEO", "video", "Id", "Id_images"]
        (row,) = result.select("id", "ID", "VIDEO", "video").collect()
        assert tuple(row) == rows[0]
        frames = explode_keyframes(result.withColumn("SCORE", sf.lit(7)), output_col="Id")
        assert frames.columns[:5] == ["id", "ID", "VIDEO", "video", "SCORE"]
        found = frames.select("id", "ID", "VIDEO", "SCORE", "frame_index").collect()
        assert found == [(1, 2, "/none.mp4", 7, index) for index in range(4)]
        with pytest.raises(ParameterError, match="input_col 'Video' is not a column"):
            sampler.transform(frame, input_col="Video")
        with pytest.raises(ParameterError, match="output_col 'ID' is not .* it has id, Id"):
            explode_keyframes(result.select("id", "Id"), output_col="ID")


@pytest.mark.parametrize("names", [("video", "VIDEO", "id"), ("video", "id", "ID")])
def test_columns_that_differ_in_case_only_are_refused_where_spark_ignores_case(spark, plain, names):
    frame = spark.createDataFrame([("a", "b", "c")], ["x", "y", "z"]).toDF(*names)
    with pytest.raises(ParameterError, match="two columns called '(video|id)'; drop or rename"):
        plain.transform(frame)
    binary = spark.createDataFrame([(b"", b"")], "x binary, y binary").toDF("video", "video")
    with pytest.raises(ParameterError, match="two columns called 'video'"):
        replace(plain, video_src_type="video_binary").transform(binary)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("interval '1-2' year to month", "interval year to month"),
        ("make_interval(1, 2, 3)", "interval"),
        ("array(interval 3 month)", "array<interval month>"),
        ("map('a', struct(make_interval(1) AS i))", "map<string,struct<i:interval>>"),
        ("named_struct('a', 1, 'a', 2)", "struct<a:int,a:int>"),
        ("array()", "array<void>"),
    ],
)
def test_types_that_arrow_functions_lack_are_refused_by_name(spark, plain, value, shown):
    frame = spark.sql(f"SELECT {value} AS `how.long`, 'a.mp4' AS video")
    with pytest.raises(ParameterError) as caught:
        plain.transform(frame)
    assert str(caught.value).startswith(f"column 'how.long' is of type {shown}, which Spark cannot")
    assert str(caught.value).endswith("; drop it, or cast it, e.g. to string")


def test_all_other_types_pass_through(spark, plain):
    types = {
        "n": "null", "d": "interval '3 4' day to hour", "t": "time'10:11:12.000013'",
        "ts": "timestamp'2026-01-02 03:04:05.000006'", "ntz": "timestamp_ntz'2026-01-02 03:04:05'",
        "s": "named_struct('a', 1, 'A', 2)", "m": "map('a', array(interval 3 day))",
        "e": "struct()", "c": "'a' COLLATE UTF8_LCASE", "p": "st_geogfromwkb(X'0101000000"
        "000000000000F03F0000000000000040')", "b": "cast(1 AS tinyint)",
    }  # fmt: skip
    selected = ", ".join(f"{value} AS {name}" for name, value in types.items())
    frame = spark.sql(f"SELECT {selected}, parse_json('[1]') AS v, '/none.mp4' AS video")
    vector = spark.createDataFrame([(Vectors.dense([1.0, 2.5]),)], ["vector"])
    frame = frame.crossJoin(vector)
    result = plain.transform(frame).drop("keyframes")
    assert result.schema == frame.schema
    before, after = (
        each.withColumn("v", sf.expr("to_json(v)")).first() for each in (frame, result)
    )
    assert before == after
