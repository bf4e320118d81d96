"""A second look on Spark: from videos and from their index, with two models in a process."""

from dataclasses import replace

import pyarrow as pa
import pytest
from pyspark.sql import functions as sf

from spark_keyframes import ParameterError
from tests.spark.test_index import by_id, same

TEXTS = ["spoon", "fork", None]


@pytest.fixture(scope="module")
def videos(spark, clips):
    rows = [(number, str(path)) for number, path in enumerate(clips)] + [(3, "none.mp4")]
    texts = sf.array(*[sf.lit(text) for text in TEXTS])
    return spark.createDataFrame(rows, "id int, video string").withColumn("texts", texts)


def test_an_index_answers_as_the_videos_do(videos, reranking, clips):
    asked = {"text_col": "texts", "made_by_col": "made_by", "account_col": "account"}
    found = by_id(
        reranking.transform(videos, candidates_col="candidates", error_col="error", **asked)
    )
    assert found[3]["error"]["error"] == "SourceNotFoundError"
    index = reranking.transform(videos, candidates_col="candidates").drop("keyframes")
    of_index = by_id(reranking.transform_index(index, input_col="video", **asked))
    for number, path in enumerate(clips):
        row, other = found[number], of_index[number]
        same(row["keyframes"], other["keyframes"])
        for text, cell in zip(TEXTS, row["keyframes"], strict=True):
            expected = None if text is None else reranking.sample(path, text=text)
            assert (cell and cell["frame_ids"]) == (expected and expected.frame_ids)
            assert cell is None or cell["scores"] == pytest.approx(expected.scores, abs=1e-5)
        models = reranking.make_module(), reranking.make_matcher()
        assert row["made_by"]["model"] == "small, rerank='blip'"
        assert row["made_by"]["revision"] == ", ".join(each.revision for each in models)
        assert row["made_by"]["selector"] == "aks(rerank_candidates=8)"
        assert other["made_by"] == row["made_by"]
        assert other["account"]["scored_again"] == row["account"]["scored_again"] > 0
        assert row["index_info"]["model"] == "small", "an index is of the first model alone"
    assert of_index[3]["keyframes"] is None


def test_images_come_with_it(spark, clips, reranking):
    one = spark.createDataFrame([(str(clips[0]),)], "video string")
    with_images = replace(reranking, return_keyframes=True)
    expected = with_images.sample(clips[0])
    index = reranking.index(one)
    row = with_images.transform_index(index, input_col="video", account_col="account").first()
    assert row["keyframes"]["frame_ids"] == expected.frame_ids
    assert len(row["keyframes_images"]) == 4


def models_of_the_worker(batches):
    """Yield the names of the modules that this Python worker keeps."""
    from spark_keyframes.ready_modules import _ready

    names = sorted(f"{kind.rpartition('.')[2]} {key}" for kind, key, _ in _ready)
    for _ in batches:
        yield pa.RecordBatch.from_arrays([pa.array(["; ".join(names)])], ["models"])


def test_a_worker_keeps_one_of_each_model(spark, clips, reranking):
    parts = spark.createDataFrame([(str(path),) for path in clips], "video string").repartition(3)
    for size in (5, 6):
        assert replace(reranking, rerank_candidates=size).transform(parts).count() == 3
    rows = spark.range(0, 4, 1, 4).mapInArrow(models_of_the_worker, "models string").collect()
    of_both = [row["models"] for row in rows if "BlipModule" in row["models"]]
    assert of_both
    for names in of_both:
        assert names.count("BlipModule") == 1
        assert names.count(f"ClipModule ('{reranking.model_path}'") == 1


def test_what_cannot_work_is_refused_on_the_driver(spark, videos, reranking):
    index = reranking.index(videos)
    with pytest.raises(
        ParameterError, match="rerank='blip' looks at frames of the videos, and inp"
    ):
        reranking.transform_index(index)
    with pytest.raises(
        ParameterError, match=r"rerank='blip' looks at frames, and search\(\) reads"
    ):
        reranking.search(index)
    lost = replace(reranking, rerank="none")
    with pytest.raises(Exception, match=r"rerank 'none'\): there is no config.json"):
        lost.transform(videos)
