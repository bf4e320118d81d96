"""What transform adds on request: times, what made the result, and images as files."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import spark_keyframes
from spark_keyframes import (
    KeyframesModule,
    ParameterError,
    Selector,
    VideoAdaptiveKeyframesSampling,
    explode_keyframes,
    rgb_array,
    to_pil,
)
from spark_keyframes.clip import model_revision
from spark_keyframes.engine import Pipeline, Request, resolve_device
from spark_keyframes.errors import EncodeError


class Brightness(KeyframesModule):
    revision = "2026-11"

    def predict_step(self, inputs, texts):
        return [rgb.mean() for rgb in inputs]

    def params(self):
        return {"size": 72}


class First(Selector):
    def select(self, scores, k):
        return range(min(k, len(scores)))


def test_times_provenance_and_files_stand_beside_the_documented_struct(
    spark, sampler, clips, models
):
    rows = [(str(clips[0]), "spoon"), ("/none.mp4", "fork"), (None, "knife"), (str(clips[1]), None)]
    frame = spark.createDataFrame(rows, "video string, prompt string")
    result = sampler.transform(
        frame,
        text_col="prompt",
        timestamps_col="timestamps",
        made_by_col="made_by",
        images="encoded",
    )
    assert result.schema["timestamps"].dataType.simpleString() == "array<double>"
    assert result.schema["keyframes_images"].dataType.simpleString() == "array<binary>"
    assert result.schema["made_by"].dataType.simpleString() == (
        "struct<text:string,model:string,revision:string,fps:double,max_num_frames:bigint,"
        "selector:string,version:string>"
    )
    good, missing, no_video, no_text = result.collect()
    alone = sampler.sample(clips[0])
    assert good["keyframes"]["frame_ids"] == alone.frame_ids
    assert good["timestamps"] == alone.timestamps
    for file, rgb in zip(good["keyframes_images"], alone.images, strict=True):
        assert Image.open(io.BytesIO(file)).format == "JPEG"
        assert np.abs(rgb_array(file).astype(int) - rgb).mean() < 3
        assert to_pil(file).size == (160, 96)
    assert missing["timestamps"] is missing["keyframes_images"] is no_video["timestamps"] is None
    made_by = {
        "text": "spoon",
        "model": "small",
        "revision": model_revision(str(models), "small"),
        "fps": 5.0,
        "max_num_frames": 4,
        "selector": "aks",
        "version": spark_keyframes.__version__,
    }
    assert good["made_by"].asDict() == made_by
    assert missing["made_by"].asDict() == made_by | {"text": "fork"}
    assert no_video["made_by"]["text"] == "knife"
    assert no_text["made_by"]["text"] is None

    frames = explode_keyframes(result).where("prompt = 'spoon'").orderBy("frame_index").collect()
    assert [row["timestamp"] for row in frames] == alone.timestamps
    assert [bytes(row["image"]) for row in frames] == good["keyframes_images"]
    assert frames[0]["made_by"]["text"] == "spoon"


def test_the_files_are_those_that_are_stored(spark, sampler, clips, tmp_path):
    stored = replace(sampler, output_tos_dir=str(tmp_path), img_type=".png")
    frame = spark.createDataFrame([(str(clips[2]),)], "video string")
    (row,) = stored.transform(frame, images="encoded").collect()
    for file, path in zip(row["keyframes_images"], row["keyframes"]["tos_paths"], strict=True):
        assert Path(path).read_bytes() == file


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ("small", "aks")),
        ({"t1": 0.2, "all_depth": 3}, ("small", "aks(t1=0.2, all_depth=3)")),
        ({"selector": "top"}, ("small", "top")),
        ({"selector": First()}, ("small", "First()")),
        ({"rerank": "blip"}, ("small, rerank='blip'", "aks")),
        (
            {"rerank": "blip", "rerank_candidates": 9},
            ("small, rerank='blip'", "aks(rerank_candidates=9)"),
        ),
        (
            {"rerank": "blip", "max_num_frames": 4, "rerank_candidates": 16},
            ("small, rerank='blip'", "aks"),
        ),
        ({"rerank_candidates": 9}, ("small", "aks")),
        ({"scan": "coarse"}, ("small", "aks(scan='coarse')")),
        (
            {"scan": "coarse", "scan_budget": 0.5},
            ("small", "aks(scan='coarse', scan_budget=0.5)"),
        ),
        ({"scan_budget": 0.5}, ("small", "aks")),
    ],
)
def test_the_selector_is_named_with_what_is_not_usual(plain, parameters, expected):
    changed = replace(plain, **parameters)
    made_by = changed.made_by(changed.make_module(), revision=None)
    assert (made_by.model, made_by.selector) == expected


def test_a_module_of_one_s_own_says_its_revision():
    module = Brightness()
    made_by = VideoAdaptiveKeyframesSampling(module=module).made_by(
        module, revision=module.revision
    )
    assert (made_by.model, made_by.revision) == ("Brightness(size=72)", "2026-11")


def test_a_row_of_files_too_large_for_spark_is_a_failure(sampler, clips):
    pipeline = Pipeline(sampler.make_module(), sampler, row_bytes=1000, images_as="encoded")
    (outcome,) = pipeline.run([Request(str(clips[0]), "spoon")], device=resolve_device(rank=0))
    assert (outcome.error, outcome.stage) == ("RowTooLargeError", "encode")
    assert "as encoded" in outcome.message


def test_unknown_kinds_of_images_are_refused(spark, sampler):
    frame = spark.createDataFrame([("a.mp4",)], "video string")
    with pytest.raises(ParameterError, match="images must be one of arrays, encoded, got 'files'"):
        sampler.transform(frame, images="files")
    with pytest.raises(EncodeError, match="the 7 bytes are no image"):
        rgb_array(b"not one")


def test_an_other_column_of_that_name_is_left_alone(spark):
    schema = (
        "keyframes struct<tos_paths: array<string>, frame_ids: array<bigint>, "
        "scores: array<float>>, timestamps string"
    )
    rows = spark.createDataFrame([(([], [4], [0.5]), "noon")], schema)
    (row,) = explode_keyframes(rows).collect()
    assert (row["timestamps"], row["frame_id"]) == ("noon", 4)
    assert "timestamp" not in row.asDict()
