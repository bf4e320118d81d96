"""The index of videos, and what is asked of it: as `transform`, without decoding again."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from pyspark.sql import functions as sf

from spark_keyframes import (
    EmbeddingModule,
    KeyframesModule,
    ParameterError,
    Selector,
    VideoAdaptiveKeyframesSampling,
)
from spark_keyframes.errors import ModelNotFoundError
from tests.clip.random_families import save_family

ADDED = {"timestamps_col": "timestamps", "made_by_col": "made_by"}
TEXTS = ["spoon", "a fork on a table", None, "knife", "spoon"]


class FarApart(Selector):
    """Frames that differ from each other: a selector that needs embeddings and times."""

    needs_embeddings = True
    needs_timestamps = True

    def select(self, scores, k, *, embeddings, timestamps):
        order = np.argsort(-(embeddings @ embeddings[0]) + 1e-3 * np.asarray(timestamps))
        return sorted(int(index) for index in order[:k])


class OwnScores(EmbeddingModule):
    """Embeds, but its scores are others."""

    def embed_images(self, inputs):
        return np.ones((len(inputs), 2))

    embed_texts = embed_images

    def predict_step(self, inputs, texts, **exact):
        return list(range(len(inputs)))


@pytest.fixture(scope="module")
def videos(spark, clips):
    rows = [(number, str(path)) for number, path in enumerate(clips)]
    rows += [(3, None), (4, "none.mp4")]
    texts = sf.array(*[sf.lit(text) for text in TEXTS])
    return spark.createDataFrame(rows, "id int, video string").withColumn("texts", texts)


@pytest.fixture(scope="module")
def index(spark, videos, plain, tmp_path_factory):
    """An index that was written and read again."""
    folder = str(tmp_path_factory.mktemp("index") / "table")
    plain.index(videos, error_col="failed", account_col="account").write.parquet(folder)
    return spark.read.parquet(folder)


def by_id(frame):
    return {row["id"]: row.asDict(recursive=True) for row in frame.collect()}


def same(found, expected):
    """Compare keyframes; scores may differ as those of other batches do."""
    if isinstance(found, list):
        for each, other in zip(found, expected, strict=True):
            same(each, other)
    elif found is None or expected is None:
        assert found is expected
    else:
        assert found["frame_ids"] == expected["frame_ids"]
        assert found["scores"] == pytest.approx(expected["scores"], abs=1e-5)


def test_an_index_has_all_candidates_and_how_they_were_made(index, plain, clips):
    assert index.columns == [
        *("id", "video", "texts", "failed", "account", "candidates", "index_info")
    ]
    rows = by_id(index)
    for number, path in enumerate(clips):
        expected = plain.sample(path).candidates
        candidates = rows[number]["candidates"]
        assert [each["frame_id"] for each in candidates] == expected.frame_ids
        assert [each["timestamp"] for each in candidates] == expected.timestamps
        for each in candidates:
            assert sum(value**2 for value in each["embedding"]) == pytest.approx(1, abs=1e-5)
        assert rows[number]["account"]["frames_scored"] == len(candidates)
        info = rows[number]["index_info"]
        assert info["model"] == "small"
        assert info["revision"] == plain.make_module().revision
        assert info["preprocessing"].startswith("shortest edge 64 bicubic, crop 64, mean 0.48")
        assert (info["fps"], info["dimensions"]) == (5, len(candidates[0]["embedding"]))
    for number in (3, 4):
        assert rows[number]["candidates"] is None
        assert rows[number]["index_info"] is None
    assert rows[4]["failed"]["error"] == "SourceNotFoundError"


@pytest.mark.parametrize(
    "given",
    [
        *({"selector": selector} for selector in ("aks", "top", "bin", "uniform", FarApart())),
        *({"selector": selector} for selector in ("gift", "logdet", "summary")),
        {"min_gap": 0.7},
        {"selector": "top", "min_gap": 0.5, "max_similarity": 0.999},
    ],
    ids=str,
)
def test_an_index_answers_several_texts_as_the_videos_do(videos, index, plain, clips, given):
    # Half of the candidates can be chosen.
    least = float(np.median(plain.sample(clips[0]).candidates.scores))
    asking = replace(plain, **given, min_score=least)
    expected = by_id(asking.transform(videos, text_col="texts", **ADDED))
    found = by_id(asking.transform_index(index, text_col="texts", **ADDED))
    assert len(found) == 5
    for number, row in found.items():
        same(row["keyframes"], expected[number]["keyframes"])
        for name in ("timestamps", "made_by"):
            assert row[name] == expected[number][name]
    assert found[0]["keyframes"][0]["scores"]
    assert found[3]["keyframes"] is None
    assert found[4]["keyframes"] is None


def test_parts_of_videos_are_asked_and_indexed(spark, clips, plain):
    parts = [(0.0, 1.0), (1.1, None), (None, 2.5), (2.4, 99.0), (4.0, 5.0), (3.0, 2.0), (0.5, 0.5)]
    rows = [(number, str(clips[0]), *part) for number, part in enumerate(parts)]
    videos = spark.createDataFrame(rows, "id int, video string, start double, end double")
    window = {"start_col": "start", "end_col": "end"}
    asked = {"error_col": "error", "timestamps_col": "timestamps", **window}
    expected = by_id(plain.transform(videos, **asked))
    whole = by_id(plain.transform_index(plain.index(videos), input_col="video", **asked))
    of_parts = plain.index(videos.where("id < 4"), **window).localCheckpoint()
    infos = {row["id"]: row["index_info"] for row in of_parts.collect()}
    assert [(infos[number]["start"], infos[number]["end"]) for number in range(4)] == [
        *((None, 1.0), (1.1, None), (None, 2.5), (2.4, 99.0))
    ]
    for number, row in whole.items():
        same(row["keyframes"], expected[number]["keyframes"])
        assert row["timestamps"] == expected[number]["timestamps"]
        assert row["error"] == expected[number]["error"]
    assert [row["error"] and row["error"]["error"] for row in expected.values()] == [
        *[None] * 4,
        *["WindowError"] * 3,
    ]
    for answers in (plain.transform_index(of_parts), plain.transform_index(of_parts, **window)):
        for number, row in by_id(answers).items():
            same(row["keyframes"], expected[number]["keyframes"])
    outside = of_parts.where("id = 1").drop("start", "end").selectExpr("*", "0.5d AS start")
    row = plain.transform_index(outside, start_col="start", error_col="error").first()
    assert row["error"]["error"] == "WindowError"
    assert "from 1.1 to inf s only, not from 0.5" in row["error"]["message"]


def test_images_are_decoded_again_for_the_chosen_frames_only(videos, index, sampler, tmp_path):
    with_images = {"account_col": "account", "images": "encoded"}
    first = replace(sampler, output_tos_dir=str(tmp_path / "a"))
    second = replace(sampler, output_tos_dir=str(tmp_path / "b"), fps=5.0)
    expected = by_id(first.transform(videos, **with_images))
    found = by_id(second.transform_index(index.drop("account"), input_col="video", **with_images))
    for number in range(3):
        row, other = found[number], expected[number]
        assert row["keyframes"]["frame_ids"] == other["keyframes"]["frame_ids"]
        assert row["keyframes_images"] == other["keyframes_images"]
        names = [path.replace("/b/", "/a/") for path in row["keyframes"]["tos_paths"]]
        assert names == other["keyframes"]["tos_paths"]
        assert row["account"]["images_uploaded"] == len(names)
        assert 0 < row["account"]["frames_decoded"] <= other["account"]["frames_decoded"]
        assert row["account"]["decoded_again"] == 0


def test_a_video_that_changed_after_it_was_indexed_fails(spark, clips, sampler, tmp_path):
    path = tmp_path / "changed.mp4"
    shutil.copy(clips[0], path)
    one = spark.createDataFrame([(0, str(path))], "id int, video string")
    index = sampler.index(one).localCheckpoint()
    shutil.copy(clips[2], path)
    row = sampler.transform_index(index, input_col="video", error_col="error").first()
    assert row["keyframes"] is None
    assert row["error"]["error"] == "VideoChangedError"
    assert "index it again" in row["error"]["message"]


def test_keyframes_and_index_come_from_one_decode(videos, index, plain):
    both = by_id(
        plain.transform(videos, candidates_col="candidates", account_col="account", **ADDED)
    )
    alone = by_id(index)
    expected = by_id(plain.transform(videos, **ADDED))
    for number, row in both.items():
        candidates = alone[number]["candidates"]
        assert (row["candidates"] is None) == (candidates is None)
        for each, other in zip(row["candidates"] or [], candidates or [], strict=True):
            assert each["embedding"] == pytest.approx(other["embedding"], abs=1e-5)
            assert (each["frame_id"], each["timestamp"]) == (other["frame_id"], other["timestamp"])
        assert row["index_info"] == alone[number]["index_info"]
        same(row["keyframes"], expected[number]["keyframes"])
    assert both[0]["account"]["frames_decoded"] == alone[0]["account"]["frames_decoded"]


class Other(EmbeddingModule):
    def embed_images(self, inputs):
        raise AssertionError("no video is decoded")

    def embed_texts(self, texts):
        return np.ones((len(texts), 16), np.float32)


class NoEmbeddings(KeyframesModule):
    def predict_step(self, inputs, texts):
        return [0.0] * len(inputs)


def test_an_index_of_another_model_ends_the_job(index, plain):
    other = VideoAdaptiveKeyframesSampling(module=Other(), fps=5, return_keyframes=False)
    for asked in (other.transform_index(index), other.search(index)):
        with pytest.raises(Exception, match=r"model 'small', not 'Other\(\)'.*use that model"):
            asked.collect()
    with pytest.raises(Exception, match=r"fps 5.0, not 2.0; use the same settings"):
        replace(plain, fps=2).transform_index(index).collect()
    assert replace(plain, fps=2).search(index, limit=1).count() == 1


def test_a_missing_model_is_an_error_before_a_task_runs(index, plain):
    lost = replace(plain, model_path="/none")
    for ask in (lost.transform_index, lost.search):
        with pytest.raises(ModelNotFoundError, match="no model in '/none/small'"):
            ask(index)


def test_what_cannot_work_is_refused_on_the_driver(spark, videos, index, plain, sampler):
    without = VideoAdaptiveKeyframesSampling(module=NoEmbeddings(), return_keyframes=False)
    for ask in (
        lambda: without.index(videos),
        lambda: without.transform_index(index),
        lambda: without.search(index),
        lambda: without.transform(videos, candidates_col="candidates"),
    ):
        with pytest.raises(ParameterError, match="module NoEmbeddings gives none"):
            ask()
    own = VideoAdaptiveKeyframesSampling(module=OwnScores(), return_keyframes=False)
    with pytest.raises(ParameterError, match="OwnScores overrides predict_step"):
        own.transform(videos, candidates_col="candidates")
    cosines = replace(own, selector=FarApart())  # has cosines anyway
    assert "candidates" in cosines.transform(videos, candidates_col="candidates").columns
    with pytest.raises(ParameterError, match="images are decoded from the videos"):
        sampler.transform_index(index)
    with pytest.raises(ParameterError, match="candidates_col 'candidates' is not a column"):
        plain.transform_index(videos)
    with pytest.raises(ParameterError, match="candidates_col 'video' is of type string"):
        plain.search(index, candidates_col="video")
    with pytest.raises(ParameterError, match="info_col 'video' is of type string"):
        plain.search(index, info_col="video")
    for ask in (plain.transform_index, plain.search):
        with pytest.raises(ParameterError, match="index must be a DataFrame of Spark, got builtin"):
            ask("out/index")
    with pytest.raises(ParameterError, match="two columns called 'failed'"):
        plain.transform_index(index, error_col="failed")


def test_a_stream_is_indexed(spark, clips, plain, tmp_path):
    folder = tmp_path / "in"
    spark.createDataFrame([(str(clips[2]),)], "video string").write.parquet(str(folder))
    stream = spark.readStream.schema("video string").parquet(str(folder))
    query = (
        plain.index(stream)
        .writeStream.format("parquet")
        .option("path", str(tmp_path / "out"))
        .option("checkpointLocation", str(tmp_path / "checkpoint"))
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination(120)
    assert query.exception() is None
    found = spark.read.parquet(str(tmp_path / "out"))
    with pytest.raises(ParameterError, match="search the table that the stream writes"):
        plain.search(plain.index(stream))
    assert plain.transform_index(found).first()["keyframes"]["frame_ids"] == (
        plain.sample(clips[2]).frame_ids
    )


def test_an_index_of_chinese_clip_answers_chinese_texts_and_no_other_model(
    spark, plain, clips, index, tmp_path
):
    save_family(tmp_path / "chinese", "chinese_clip")
    chinese = replace(
        plain, model_path=str(tmp_path), clip_model_name="chinese", text="一只红色的汽车"
    )
    videos = spark.createDataFrame([(0, str(clips[2]), ["勺子", "草地"])], ["id", "video", "texts"])
    rows = chinese.index(videos).localCheckpoint()
    info = rows.first()["index_info"]
    assert info["preprocessing"].startswith("both edges 224 bicubic, crop 224, mean 0.48")
    assert info["revision"] == chinese.make_module().revision
    expected = by_id(chinese.transform(videos, text_col="texts"))
    found = by_id(chinese.transform_index(rows, text_col="texts"))
    same(found[0]["keyframes"], expected[0]["keyframes"])
    first, second = found[0]["keyframes"]
    assert first["scores"] != second["scores"]
    with pytest.raises(Exception, match="made with model 'small', not 'chinese'"):
        chinese.transform_index(index.where("id = 2")).collect()
