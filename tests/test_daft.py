"""The operator on Daft: what las_udf checks, and what the actors of the native runner return."""

import io
import logging

import daft
import numpy as np
import pytest
from daft import col
from PIL import Image

from spark_keyframes import ParameterError
from spark_keyframes.daft import VideoAdaptiveKeyframesSampling, las_udf
from spark_keyframes.errors import ModelNotFoundError

DOCUMENTED = "Struct[tos_paths: List[String], frame_ids: List[Int64], scores: List[Float32]]"
ERROR = "Struct[stage: String, error: String, message: String]"


@pytest.fixture(scope="module")
def construct_args(sampler):
    names = ("text", "model_path", "clip_model_name", "fps", "max_num_frames", "dtype")
    return {name: getattr(sampler, name) for name in names}


@pytest.fixture
def kind_of(construct_args):
    def kind_of(*columns, **options):
        function = las_udf(VideoAdaptiveKeyframesSampling, construct_args, **options)
        rows = daft.from_pydict({"video": ["a.mp4"], "text": ["spoon"]})
        return str(rows.with_column("found", function(*columns)).schema()["found"].dtype)

    return kind_of


def test_the_type_is_the_documented_struct(kind_of):
    assert kind_of(col("video")) == DOCUMENTED
    assert kind_of(col("video"), col("text"), num_gpus=0, batch_size=1) == DOCUMENTED


def test_options_add_fields(kind_of):
    assert kind_of(col("video"), error=True) == f"{DOCUMENTED[:-1]}, error: {ERROR}]"
    assert kind_of(col("video"), images="encoded") == f"{DOCUMENTED[:-1]}, images: List[Binary]]"
    assert kind_of(col("video"), images="arrays").endswith(", images: List[Image[RGB]]]")


@pytest.mark.parametrize(
    ("construct_args", "message"),
    [
        ({"max_frames": 4}, "no parameter 'max_frames'; use max_num_frames"),
        ({"zzz": 4}, "no parameter 'zzz'; use text, model_path, "),
        ({"fps": 0}, "fps must be greater than 0 and finite, got 0"),
        ([("fps", 1)], "construct_args must be a dict of parameters by name, got"),
    ],
)
def test_wrong_construct_args_are_errors_at_once(construct_args, message):
    with pytest.raises(ParameterError, match=message):
        las_udf(VideoAdaptiveKeyframesSampling, construct_args=construct_args)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_gpus": -1}, "num_gpus must be at least 0"),
        ({"num_gpus": 1.5}, "whole above 1 for GPUs, got 1.5"),
        ({"num_gpus": "1"}, "num_gpus must be a number, got '1'"),
        ({"num_cpus": -1}, "num_cpus must be at least 0"),
        ({"concurrency": 0}, "concurrency must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"on_error": "ignore"}, "on_error must be one of null, raise, got 'ignore'"),
        ({"error": "no"}, "error must be True or False, got 'no'"),
        ({"images": "png"}, "images must be one of arrays, encoded, got 'png'"),
    ],
)
def test_wrong_options_are_errors_at_once(options, message):
    with pytest.raises(ParameterError, match=message):
        las_udf(VideoAdaptiveKeyframesSampling, {}, **options)


def test_images_need_return_keyframes():
    with pytest.raises(ParameterError, match="needs return_keyframes=True"):
        las_udf(VideoAdaptiveKeyframesSampling, {"return_keyframes": False}, images="arrays")


@pytest.mark.parametrize("cls", [dict, VideoAdaptiveKeyframesSampling(text="spoon"), "sampler"])
def test_the_class_must_be_the_operator(cls):
    with pytest.raises(ParameterError, match="cls must be VideoAdaptiveKeyframesSampling or a sub"):
        las_udf(cls, {})


def test_a_missing_model_is_an_error_before_anything_runs():
    function = las_udf(VideoAdaptiveKeyframesSampling, {"text": "spoon", "model_path": "/none"})
    with pytest.raises(ModelNotFoundError, match="model_path '/none'"):
        function(col("video"))


def test_an_output_folder_that_cannot_be_written_is_an_error_before_anything_runs(
    construct_args, tmp_path
):
    (tmp_path / "file").touch()
    construct_args = construct_args | {"output_tos_dir": str(tmp_path / "file" / "images")}
    with pytest.raises(ParameterError, match="output_tos_dir must be a folder"):
        las_udf(VideoAdaptiveKeyframesSampling, construct_args)(col("video"))


def test_videos_must_be_an_expression():
    with pytest.raises(ParameterError, match="videos must be an expression of Daft"):
        las_udf(VideoAdaptiveKeyframesSampling, {"text": "spoon"})("a.mp4")
    with pytest.raises(ParameterError, match="texts must be an expression of Daft, or one text"):
        las_udf(VideoAdaptiveKeyframesSampling, {"text": "spoon"})(col("video"), ["spoon"])
    with pytest.raises(ParameterError, match="texts has half of a surrogate pair"):
        las_udf(VideoAdaptiveKeyframesSampling, {"text": "spoon"})(col("video"), "\ud800")


def test_a_gpu_that_is_not_there_is_an_error_before_anything_runs(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    function = las_udf(VideoAdaptiveKeyframesSampling, {"text": "spoon"}, num_gpus=1)
    with pytest.raises(ParameterError, match="num_gpus=1 .* this machine has 0; use num_gpus=0"):
        function(col("video"))


def test_one_warning_says_that_the_documented_struct_has_no_images(caplog):
    for _ in range(2):
        las_udf(VideoAdaptiveKeyframesSampling, {"return_keyframes": True})
        las_udf(VideoAdaptiveKeyframesSampling, {"return_keyframes": True}, images="arrays")
        las_udf(VideoAdaptiveKeyframesSampling, {})
    said = [record for record in caplog.records if "no images" in record.getMessage()]
    assert len(said) == 1  # of this process: no other test may cause it


def test_a_query_gives_what_sample_gives(construct_args, sampler, clips, caplog):
    """All kinds of rows in one query, since a query starts a process that imports torch."""
    videos = [str(clips[0]), "/none.mp4?token=hidden", str(clips[1]), None, str(clips[2])]
    texts = ["spoon", "spoon", "a red car", "spoon", None]
    function = las_udf(
        VideoAdaptiveKeyframesSampling, construct_args, images="encoded", error=True, batch_size=3
    )
    rows = daft.from_pydict({"video": videos, "text": texts})
    rows = rows.with_column("found", function(col("video"), col("text")))
    with caplog.at_level(logging.WARNING, "spark_keyframes"):
        found = rows.to_pydict()["found"]

    for at in (0, 2):
        wanted = sampler.sample(videos[at], text=texts[at])
        assert found[at]["frame_ids"] == wanted.frame_ids
        assert found[at]["scores"] == pytest.approx(wanted.scores, abs=1e-6)
        assert found[at]["tos_paths"] == []
        assert found[at]["error"] is None
        for file, image in zip(found[at]["images"], wanted.images, strict=True):
            shown = np.asarray(Image.open(io.BytesIO(file)), dtype=int)
            assert np.abs(shown - image).mean() < 3
    assert found[1]["frame_ids"] is found[1]["images"] is None
    assert found[1]["error"]["error"] == "SourceNotFoundError"
    assert found[3] is None
    assert found[4] is None
    # The actor's log is the driver's, although Daft shows nothing of it without a terminal.
    said = [line for line in map(str, caplog.messages) if "no keyframes" in line]
    assert len(said) == 1
    assert "SourceNotFoundError" in said[0]
    assert "hidden" not in said[0] + str(found)
