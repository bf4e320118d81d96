"""mapInPandas with map_in_pandas() and result_schema(): what transform() gives, or a refusal."""

import datetime
import decimal
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pyspark.errors import PythonException
from pyspark.sql import functions as sf

from spark_keyframes import ParameterError
from spark_keyframes.arrow.columns import AddedColumns, Wanted
from spark_keyframes.engine import Pipeline
from spark_keyframes.spark.pandas_stage import PandasStage
from tests.engine.own_modules import FrameNumber
from tests.engine.own_modules import sampler as of_module

ADDED = {f"{name}_col": name for name in ("error", "timestamps", "curve", "made_by", "candidates")}
INTEGERS = "spark.sql.execution.pythonUDF.pandas.preferIntExtensionDtype"
BIG = 2**60 + 1  # a float loses the 1


def mapped(sampler, frame, *, known=True, **options):
    schema = sampler.result_schema(frame.schema, **options)
    function = sampler.map_in_pandas(schema=frame.schema if known else None, **options)
    return frame.mapInPandas(function, schema)


def test_every_column_is_that_of_transform(spark, sampler, clips):
    """Other columns too: those of types that pandas carries, beside nulls."""
    time = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901)
    other = [1, BIG, 1.5, True, "é", decimal.Decimal("1.10"), b"\x00", time.date(), time]
    nested = [[BIG, None], {"a": BIG, "b": None}, (None, ["x", None])]
    rows = [
        (str(clips[0]), ["spoon", None, "car"], *other, *nested),
        (None, ["spoon"], None, None, *[None] * 7, *[None] * 3),
        ("/none.mp4", ["car"], 3, 2, 0.1, *other[3:], *nested),
        (str(clips[2]), None, 4, 3, *[None] * 7, *[None] * 3),
    ]
    schema = (
        "video string, texts array<string>, i int, n bigint, d double, b boolean, s string, "
        "c decimal(10,2), y binary, day date, t timestamp, a array<bigint>, "
        "m map<string, bigint>, r struct<x: string, l: array<string>>"
    )
    frame = spark.createDataFrame(rows, schema).coalesce(1)
    options = {**ADDED, "text_col": "texts", "images": "encoded"}
    expected = sampler.transform(frame, **options)
    result = mapped(sampler, frame, **options)
    assert result.schema == expected.schema
    assert result.collect() == expected.collect()


@pytest.mark.slow
def test_images_as_arrays_and_the_account(spark, sampler, clips):
    frame = spark.createDataFrame([(str(clips[2]),)], "video string")
    (row,) = mapped(sampler, frame, account_col="account").collect()
    (expected,) = sampler.transform(frame, account_col="account").collect()
    assert row["keyframes_images"] == expected["keyframes_images"]
    assert row["account"]["frames_scored"] == expected["account"]["frames_scored"]


@pytest.fixture(scope="module")
def binary(plain):
    return replace(plain, video_src_type="video_binary")


def numbers(spark, kind, values):
    """Beside videos in rows: beside strings, Spark 4.3 gives pandas integers with nulls."""
    rows = [(None, value) for value in values]
    return spark.createDataFrame(rows, f"video binary, n {kind}").coalesce(1)


@pytest.mark.parametrize("known", [True, False])
def test_a_bigint_that_pandas_has_changed_is_refused(spark, binary, known):
    with pytest.raises(PythonException, match=r"column 'n' .* transform\(\), which leaves"):
        mapped(binary, numbers(spark, "bigint", [BIG, None]), known=known).collect()


@pytest.mark.parametrize(
    ("value", "refused"),
    [
        (np.array([2.0**60, np.nan]), True),
        ({"a": None, "b": np.array([None, np.array([-(2.0**53), np.nan])], dtype=object)}, True),
        (np.array([2.0**60, 1]), False),
        (np.array([2.0**52, np.nan]), False),
        (np.array([2.0**60, 0.5, np.nan]), False),
        (np.array([BIG, None], dtype=object), False),
        (pd.array([BIG, None], dtype="Int64"), False),
    ],
)
def test_integers_in_arrays_are_checked_too(value, refused):
    """Spark before 4.2 makes floats of them; these are its cells."""
    frame = pd.DataFrame({"video": [None], "n": [value]})
    wanted = Wanted(input="video", added=AddedColumns(output="k"))
    own = of_module(FrameNumber())
    for whole in (None, frozenset({"n"}), frozenset()):
        rows = PandasStage(Pipeline(FrameNumber(), own), wanted, "null", whole)(iter([frame]))
        if refused and whole != frozenset():
            with pytest.raises(ParameterError, match="column 'n'"):
                next(rows)
        else:
            assert next(rows)["n"][0] is value


@pytest.mark.slow
def test_integers_that_pandas_keeps_pass(spark, binary):
    """Small ones beside nulls, large ones without, and all with Spark's own remedy."""
    for values in ([2**53 - 1, None], [BIG, 1]):
        result = mapped(binary, numbers(spark, "bigint", values)).collect()
        assert [row["n"] for row in result] == values
    spark.conf.set(INTEGERS, "true")
    try:
        result = mapped(binary, numbers(spark, "bigint", [BIG, None])).collect()
        assert [row["n"] for row in result] == [BIG, None]
    finally:
        spark.conf.unset(INTEGERS)


@pytest.mark.slow
def test_large_floats_are_floats_where_the_schema_is_known(spark, binary):
    frame = numbers(spark, "double", [1e300, None])
    assert [row["n"] for row in mapped(binary, frame).collect()] == [1e300, None]
    with pytest.raises(PythonException, match=r"if it is double, give the schema"):
        mapped(binary, frame, known=False).collect()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_col": "film"}, "input_col 'film' is not a column .* it has id, video"),
        ({"text_col": "id"}, "text_col 'id' is of type int, but texts are string"),
        ({"error_col": "keyframes"}, "two columns called 'keyframes'"),
        ({"images": "files"}, "images must be one of arrays, encoded, got 'files'"),
    ],
)
def test_the_schema_is_checked_on_the_driver(plain, videos, options, message):
    with pytest.raises(ParameterError, match=message):
        plain.result_schema(videos.schema, **options)


@pytest.mark.parametrize("schema", ["video string", [("video", "string")], dict])
def test_the_schema_must_be_one_of_spark(plain, schema):
    for function in (plain.result_schema, plain.map_in_pandas):
        with pytest.raises(ParameterError, match="schema must be a StructType, as df.schema is, g"):
            function(schema=schema)


@pytest.mark.slow
def test_what_is_wrong_in_the_job_is_said_there(spark, plain, clips):
    frame = spark.createDataFrame([(str(clips[2]),), ("/none.mp4",)], "video string").coalesce(1)
    with pytest.raises(PythonException, match=r"row 1 of partition 0, counted from 0: no file"):
        mapped(plain, frame, on_error="raise").collect()
    renamed = frame.withColumnRenamed("video", "film")
    with pytest.raises(PythonException, match=r"input_col 'video' is not a column .* it has film"):
        renamed.mapInPandas(plain.map_in_pandas(), plain.result_schema(frame.schema)).collect()


@pytest.mark.slow
def test_a_limit_ends_the_run_early(spark, plain, clips):
    """The consumer stops, Spark closes the generator, and the next job runs in the same worker."""
    rows = [(str(clips[2]),)] * 12
    frame = spark.createDataFrame(rows, "video string").coalesce(1)
    assert len(mapped(plain, frame).limit(1).collect()) == 1
    assert mapped(plain, frame.limit(2)).where(sf.col("keyframes").isNotNull()).count() == 2


@pytest.mark.slow
def test_a_video_in_a_row_is_dropped(spark, plain, binary, clips):
    frame = spark.createDataFrame([(1, clips[2].read_bytes())], "id int, film binary")
    (row,) = mapped(binary, frame, input_col="film").collect()
    assert row.asDict().keys() == {"id", "keyframes"}
    assert row["keyframes"]["frame_ids"] == plain.sample(clips[2]).frame_ids
