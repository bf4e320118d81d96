"""Log lines of workers as a table, which Spark 4.1 and later collects."""

from dataclasses import replace

import pytest

from spark_keyframes import Limits

pytestmark = pytest.mark.slow  # the setting starts new workers

COLLECTS = "spark.sql.pyspark.worker.logging.enabled"


@pytest.fixture(scope="module")
def logs(spark, plain, clips):
    """The table after three videos: one that fails, one that is slow, and a null."""
    if not hasattr(spark, "tvf") or not hasattr(spark.tvf, "python_worker_logs"):
        pytest.skip("this Spark does not collect the logs of workers")
    slow = replace(plain, limits=Limits(slow_seconds=1e-3))
    url = "http://me:pw@127.0.0.1:1/gone.mp4?X-Tos-Signature=abc"
    frame = spark.createDataFrame([(url,), (str(clips[0]),), (None,)], "video string")
    spark.conf.set(COLLECTS, True)
    try:
        slow.transform(frame.coalesce(1)).collect()
        # Reading the table needs the setting too.
        table = spark.tvf.python_worker_logs().where("logger = 'spark_keyframes'")
        return table.orderBy("ts").collect()
    finally:
        spark.conf.unset(COLLECTS)


def test_a_failed_row_is_in_the_table_with_its_stage_and_error(logs):
    (failed,) = [row for row in logs if row["msg"].startswith("no keyframes")]
    assert failed["level"] == "WARNING"
    assert failed["logger"] == "spark_keyframes"
    context = failed["context"]
    assert context.items() >= {
        ("video", "http://127.0.0.1:1/gone.mp4"),
        ("stage", "open"),
        ("error", "SourceReadError"),
        ("row", "0"),
        ("partition", "0"),
    }
    assert float(context["seconds"]) > 0


def test_a_slow_video_is_in_the_table_with_what_it_took(logs, clips):
    ended = [row for row in logs if row["msg"].startswith("slow video:")]
    (slow,) = [row["context"] for row in ended if row["context"]["video"] == str(clips[0])]
    assert (slow["row"], slow["frames_scored"], slow["video_seconds"]) == ("1", "18", "3.4")
    assert float(slow["seconds"]) > float(slow["decode_seconds"]) > 0


def test_no_secret_is_in_the_table(logs):
    assert logs
    assert "abc" not in str(logs)
    assert "pw@" not in str(logs)
