"""Several texts for a video: the answers of each, and one decode for all."""

from dataclasses import replace

import pytest
from pyspark.sql import functions as sf

from spark_keyframes import (
    Callback,
    KeyframesModule,
    ParameterError,
    VideoAdaptiveKeyframesSampling,
    explode_keyframes,
    metrics,
)
from spark_keyframes.images import rgb_array
from spark_keyframes.result import Answers
from tests.video.clips import number_in

TEXTS = ["spoon", "a fork on a table", None, "knife", "spoon"]


class Length(KeyframesModule):
    """Scores by the number of the frame, forwards or backwards as the text says."""

    def preprocess(self, rgb):
        return number_in(rgb)

    def predict_step(self, inputs, texts):
        assert len(inputs) <= 16
        return [
            number if text == "late" else -number
            for number, text in zip(inputs, texts, strict=True)
        ]


class Seen(Callback):
    def __init__(self):
        self.calls = []

    def on_video_start(self, source, text):
        self.calls.append(text)

    def on_keyframes(self, keyframes):
        self.calls.append((keyframes.text, len(keyframes.images)))

    def on_video_end(self, source, outcome):
        self.calls.append(type(outcome))


@pytest.mark.parametrize("selector", ["aks", "top", "bin", "uniform"])
def test_each_text_has_the_keyframes_that_it_has_alone(sampler, clips, tmp_path, selector):
    several = replace(sampler, selector=selector, output_tos_dir=str(tmp_path))
    answers = several.sample(clips[0], text=TEXTS)
    assert len(answers) == len(TEXTS)
    assert answers[2] is None
    for text, found in zip(TEXTS, answers, strict=True):
        if text is not None:
            alone = several.sample(clips[0], text=text)
            assert found == replace(alone, candidates=found.candidates)
            assert found.scores == pytest.approx(alone.scores, abs=1e-6)
            numbers = [number_in(image) for image in found.images]
            assert numbers == [number_in(image) for image in alone.images] == found.frame_ids
    alone = several.sample(clips[0], text="spoon").account
    together = answers[0].account
    assert together.frames_decoded == alone.frames_decoded
    assert together.frames_scored == alone.frames_scored
    union = {frame_id for found in answers if found for frame_id in found.frame_ids}
    assert together.images_uploaded == len(union), "an image of several texts is stored once"


def test_no_text_needs_no_video(sampler):
    assert sampler.sample("/none.mp4", text=[]) == []
    assert sampler.sample("/none.mp4", text=[None, None]) == [None, None]


def test_in_half_precision_frames_are_those_of_the_text_alone(sampler, clips):
    half = replace(sampler, dtype="float16")
    for text, found in zip(TEXTS, half.sample(clips[0], text=TEXTS), strict=True):
        if text is not None:
            assert found.frame_ids == half.sample(clips[0], text=text).frame_ids


def test_a_module_without_embeddings_is_asked_for_each_pair(clips):
    own = VideoAdaptiveKeyframesSampling(module=Length(), fps=5, max_num_frames=4, selector="top")
    early, late = own.sample(clips[2], text=["early", "late"])
    assert early.frame_ids == [0, 5, 10, 15]
    assert late.frame_ids == [10, 15, 20, 25]


def test_callbacks_are_called_for_each_text_and_once_for_the_video(sampler, clips):
    seen = Seen()
    replace(sampler, callbacks=[seen]).sample(clips[2], text=["a", None, "b"])
    assert seen.calls == [["a", None, "b"], ("a", 4), ("b", 4), Answers]


def test_a_column_of_texts_gives_a_column_of_arrays(spark, sampler, clips):
    rows = [
        (1, str(clips[0]), TEXTS[:3]),
        (2, "/none.mp4", ["spoon"]),
        (3, str(clips[1]), None),
        (4, str(clips[1]), []),
        (5, None, ["spoon", "fork"]),
    ]
    frame = spark.createDataFrame(rows, "id int, video string, prompts array<string>")
    result = sampler.transform(
        frame,
        text_col="prompts",
        timestamps_col="timestamps",
        error_col="error",
        account_col="account",
        made_by_col="made_by",
    ).cache()
    types = {field.name: field.dataType.simpleString() for field in result.schema}
    assert types["keyframes"] == (
        "array<struct<tos_paths:array<string>,frame_ids:array<bigint>,scores:array<float>>>"
    )
    assert types["timestamps"] == "array<array<double>>"
    good, missing, no_text, empty, no_video = result.orderBy("id").collect()
    answers = sampler.sample(clips[0], text=TEXTS[:3])
    for cell, times, found in zip(good["keyframes"], good["timestamps"], answers, strict=True):
        assert (cell and cell["frame_ids"]) == (found and found.frame_ids)
        assert times == (found and found.timestamps)
    union = sorted({frame_id for found in answers if found for frame_id in found.frame_ids})
    assert [image["origin"] for image in good["keyframes_images"]] == [str(i) for i in union]
    assert [number_in(rgb_array(image)) for image in good["keyframes_images"]] == union
    assert missing["keyframes"] is None
    assert missing["error"]["error"] == "SourceNotFoundError"
    assert no_text["keyframes"] is no_text["error"] is no_video["keyframes"] is None
    assert (empty["keyframes"], empty["keyframes_images"], empty["timestamps"]) == ([], [], [])

    exploded = explode_keyframes(result, text_col="prompts")
    places = ["text_index", "text", "frame_index", "frame_id", "timestamp"]
    found = exploded.where("id = 1").orderBy(*places[:3]).collect()
    expected = [
        (number, answer.text, place, answer.frame_ids[place], answer.timestamps[place])
        for number, answer in enumerate(answers)
        if answer is not None
        for place in range(len(answer.frame_ids))
    ]
    expected.append((2, None, None, None, None))
    assert [tuple(row[name] for name in places) for row in found] == expected
    for row in found[:-1]:
        assert number_in(rgb_array(row["image"])) == row["frame_id"]
    others = exploded.where("id > 1").select("id", *places[:4]).orderBy("id", "text_index")
    assert [tuple(row) for row in others.collect()] == [
        (2, 0, "spoon", None, None),
        (3, None, None, None, None),
        (4, None, None, None, None),
        (5, 0, "spoon", None, None),
        (5, 1, "fork", None, None),
    ]
    counted = result.agg(*metrics(several_texts=True)).first()
    assert (counted["videos"], counted["done"], counted["keyframes"]) == (5, 2, 8)
    with pytest.raises(ParameterError, match="text_col 'text' is not a column"):
        explode_keyframes(result)


def test_files_of_several_texts_are_the_union_too(spark, sampler, clips):
    frame = spark.createDataFrame([(str(clips[0]), TEXTS)], "video string, text array<string>")
    result = sampler.transform(frame, text_col="text", images="encoded")
    frames = explode_keyframes(result)
    assert dict(frames.dtypes)["image"] == "binary"
    assert dict(frames.dtypes)["text"] == "string"
    for row in frames.where(sf.col("frame_id").isNotNull()).collect():
        assert number_in(rgb_array(row["image"])) == row["frame_id"]


def test_a_udf_takes_one_text(spark, plain, clips):
    frame = spark.createDataFrame([(str(clips[2]), ["a"])], "video string, text array<string>")
    with pytest.raises(Exception, match="the UDF takes one text, got list"):
        frame.select(plain.udf()("video", "text")).collect()
