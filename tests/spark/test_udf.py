"""udf() in SQL and withColumn: the documented struct or null, and each video is read once."""

from dataclasses import replace

import pyarrow as pa
import pytest
from pyspark.errors import PythonException

from spark_keyframes import ParameterError
from spark_keyframes.engine import Pipeline
from spark_keyframes.spark.udf import _UdfStage
from tests.spark.conftest import check_rows, videos_with_texts
from tests.storage.web_server import WebServer, answer, without_proxies


def test_a_udf_in_sql(spark, plain, videos, expected):
    spark.udf.register("keyframes", plain.udf())
    videos.createOrReplaceTempView("videos")
    rows = spark.sql("SELECT video, keyframes(video) AS keyframes FROM videos").collect()
    assert len(rows) == 7
    check_rows(rows, expected)


def test_a_udf_with_column_gives_null_for_a_failed_row(spark, plain, clips, expected):
    frame = spark.createDataFrame([(str(clips[2]),), ("/none.mp4",), (None,)], "video string")
    rows = frame.withColumn("keyframes", plain.udf()("video")).collect()
    check_rows(rows[:1], expected)
    assert [row["keyframes"] for row in rows[1:]] == [None, None]


def test_the_same_udf_takes_a_text_per_row(spark, plain, clips, expected):
    rows = [(str(clips[0]), "a red car"), (str(clips[0]), "spoon"), (str(clips[0]), None)]
    spark.createDataFrame(rows, "video string, prompt string").createOrReplaceTempView("prompts")
    spark.udf.register("keyframes", plain.udf())
    car, spoon, none = spark.sql(
        "SELECT video, keyframes(video, prompt) AS keyframes, keyframes(video) AS plain, "
        "keyframes(video, NULL) AS nothing FROM prompts"
    ).collect()
    check_rows([car], {str(clips[0]): plain.sample(clips[0], text="a red car")})
    check_rows([spoon], expected)
    assert none["keyframes"] is None
    assert [row["nothing"] for row in (car, spoon, none)] == [None, None, None]
    assert car["plain"] == spoon["keyframes"], "without a text it is the sampler's"
    assert car["keyframes"]["scores"] != spoon["keyframes"]["scores"]


def test_a_udf_with_column_takes_a_text_per_row(spark, plain, clips, expected):
    frame = videos_with_texts(spark, clips[2])
    rows = frame.withColumn("keyframes", plain.udf()("video", "prompt")).collect()
    check_rows(rows[:1], expected)
    assert [row["keyframes"] for row in rows[1:]] == [None, None, None]


def test_a_udf_chooses_as_sample_does(spark, plain, clips):
    apart = replace(plain, selector="gift", min_gap=0.7, max_similarity=0.9995)
    frame = spark.createDataFrame([(str(clips[0]),)], "video string")
    rows = frame.withColumn("keyframes", apart.udf()("video")).collect()
    check_rows(rows, {str(clips[0]): apart.sample(clips[0])})
    assert rows[0]["keyframes"]["frame_ids"] != plain.sample(clips[0]).frame_ids


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("keyframes(video, 1)", "second column is the text, a string, got int32; cast it"),
        ("keyframes(video, 'a', 'b')", "a video, or a video and a text, got 3 columns"),
        ("keyframes()", "a video, or a video and a text, got 0 columns"),
    ],
)
def test_a_udf_refuses_wrong_columns_with_the_remedy(spark, plain, videos, call, message):
    spark.udf.register("keyframes", plain.udf())
    videos.limit(1).createOrReplaceTempView("one")
    with pytest.raises(PythonException, match=f"ParameterError: .*{message}"):
        spark.sql(f"SELECT {call} FROM one").collect()


def test_a_filter_on_a_udf_reads_each_video_once(spark, plain, clips, monkeypatch):
    without_proxies(monkeypatch)
    with WebServer() as web:
        web.paths = {f"/{path.name}": [answer(body=path.read_bytes())] for path in clips}
        rows = [(f"{web.url}/{path.name}",) for path in clips]
        frame = spark.createDataFrame(rows, "video string").withColumn("k", plain.udf()("video"))
        found = frame.where("size(k.frame_ids) = 4").where("k.scores[0] > -1").collect()
        assert len(found) == 3
        assert sorted(request.path for request in web.seen) == ["/a.mp4", "/b.mp4", "/c.mp4"]


def test_a_udf_is_not_run_again_for_a_filter(plain, videos):
    filtered = videos.withColumn("k", plain.udf()("video")).where("size(k.frame_ids) > 0")
    plan = filtered._jdf.queryExecution().executedPlan().toString()
    assert plan.count("ArrowEvalPython") == 1


def test_a_udf_answers_every_batch_empty_ones_included(plain, clips):
    batches = [[], [str(clips[2])], [], [str(clips[2]), None], []]
    stage = _UdfStage(Pipeline(plain.make_module(), plain))
    arrays = list(stage(pa.array(batch, pa.string()) for batch in batches))
    assert [len(array) for array in arrays] == [0, 1, 0, 2, 0]
    assert arrays[3][1].as_py() is None


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_udf_answers_each_batch_of_videos_and_texts(plain, clips, kind):
    video = str(clips[2])
    batches = [([], []), ([video], ["spoon"]), ([], []), ([video, video], [None, "a red car"])]
    stage = _UdfStage(Pipeline(plain.make_module(), plain))
    arrays = list(stage(tuple(pa.array(column, kind) for column in batch) for batch in batches))
    assert [len(array) for array in arrays] == [0, 1, 0, 2]
    spoon, (nothing, car) = arrays[1][0].as_py(), arrays[3].to_pylist()
    assert nothing is None
    assert spoon["frame_ids"] == plain.sample(video, text="spoon").frame_ids
    assert car["frame_ids"] == plain.sample(video, text="a red car").frame_ids
    assert spoon["scores"] != car["scores"]


def test_a_udf_logs_why_a_row_failed(plain, caplog):
    (array,) = _UdfStage(Pipeline(plain.make_module(), plain))(iter([pa.array(["/none.mp4"])]))
    assert array.to_pylist() == [None]
    assert "no keyframes (open, SourceNotFoundError): no file /none.mp4" in caplog.text


def test_a_udf_cannot_return_images(sampler):
    with pytest.raises(ParameterError, match="return_keyframes=True needs a second column"):
        sampler.udf()
