"""Missing features are worked around with one warning; tests/matrix runs other versions."""

from types import SimpleNamespace

import pyarrow as pa
import pytest
from pyspark.sql import Row

from spark_keyframes import ParameterError
from spark_keyframes.engine import Pipeline
from spark_keyframes.spark import versions
from spark_keyframes.spark.resources import TaskRequest, _no_profiles, task_resources
from spark_keyframes.spark.udf import _pandas_udf, _UdfStage
from spark_keyframes.spark.versions import condition_of, default_parallelism, warn_once
from tests.spark.conftest import check_rows, videos_with_texts


def test_a_warning_is_given_once(caplog):
    for _ in range(3):
        warn_once("for the test of warnings: 50% of it")
    assert caplog.messages.count("for the test of warnings: 50% of it") == 1


def test_without_profiles_cpus_are_refused_with_the_conf_that_gives_them():
    assert _no_profiles(TaskRequest(cpus=8, gpus=1)) == (
        "cpus=8, gpus=1, but before Spark 4.0 a stage of a DataFrame cannot have its own "
        "resources; start Spark with --conf spark.task.cpus=8 "
        "--conf spark.task.resource.gpu.amount=1, and "
        "leave cpus and gpus out"
    )


def test_without_profiles_the_resources_of_the_conf_are_allowed(spark):
    assert task_resources(spark, cpus=1, profiles=False).profile is None
    with pytest.raises(ParameterError, match="spark.task.cpus=2"):
        task_resources(spark, cpus=2, profiles=False)


def test_the_udf_of_older_versions_gives_structs_of_nulls(spark, plain, clips, expected):
    frame = videos_with_texts(spark, clips[2])
    udf = _pandas_udf(_UdfStage(Pipeline(plain.make_module(), plain)))
    one = frame.withColumn("keyframes", udf("video")).collect()
    two = frame.withColumn("keyframes", udf("video", "prompt")).collect()
    check_rows([one[0], one[3], two[0]], expected)
    without = [one[1], one[2], *two[1:]]
    assert {tuple(row["keyframes"]) for row in without} == {(None, None, None)}


@pytest.mark.parametrize(
    ("said", "condition"),
    [
        ("[PATH_NOT_FOUND] Path does not exist: x", "PATH_NOT_FOUND"),
        ("[INVALID_X.Y_Z] no", "INVALID_X.Y_Z"),
        ("no [PATH_NOT_FOUND]", ""),
        ("", ""),
    ],
)
def test_the_name_of_an_error_condition(said, condition):
    assert condition_of(Exception(said)) == condition


def test_dataframes_of_arrow_tables_in_older_versions(spark, monkeypatch):
    table = pa.table({"task": pa.array([0, 1], pa.int32()), "videos": [["a"], ["b", "c"]]})
    theirs = versions.frame_of(spark, table)
    monkeypatch.delattr("pyspark.sql.DataFrame.toArrow")
    ours = versions.frame_of(spark, table)
    assert ours.schema == theirs.schema
    assert ours.collect() == theirs.collect()


def test_how_many_tasks_run_at_once(spark):
    assert default_parallelism(spark) == 2


def test_large_batches_give_a_warning_where_their_bytes_have_no_limit(spark, monkeypatch, caplog):
    versions.warn_of_large_batches(spark)
    assert caplog.messages == []
    monkeypatch.setattr(versions, "_BYTES", "spark.sql.missing")
    versions.warn_of_large_batches(spark)
    (message,) = caplog.messages
    assert message.startswith("this Spark sends 10000 rows to Python at once")


def test_pipelined_transfer_gives_a_warning(caplog):
    """Spark 4.3.0 closes the socket of a worker that waits for its next task: 32 of 60 queries
    over 43 partitions with two rows of 8 MB failed; without it, none.
    """
    name = "spark.python.udf.pipelined.enabled"
    for settings in ({}, {name: "false"}):
        versions.warn_of_pipelined_transfer(SimpleNamespace(conf=settings))
    assert caplog.messages == []
    versions.warn_of_pipelined_transfer(SimpleNamespace(conf={name: "true"}))
    (message,) = caplog.messages
    assert "leave it false" in message


def test_metrics_of_a_stream_by_their_names():
    plain = Row(videos=3, done=2)
    fields = [{"name": name, "type": "long"} for name in ("videos", "done")]
    over_connect = Row(values=[3, 2], schema={"type": "struct", "fields": fields})
    for row in (plain, over_connect):
        assert versions.streamed_metrics(row) == {"videos": 3, "done": 2}
