"""An index of real clips answers as the clips do, with every selector."""

from dataclasses import replace

import pytest

from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.demo import MODELS
from tests.conftest import SHARED_VIDEOS

TEXTS = ["a dog", "a red car seen from above", "a cup of coffee on a table"]


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize("fps", [0.7, 2.0])
def test_an_index_of_real_clips_answers_as_the_clips_do(spark, fps):
    from pyspark.sql import functions as sf

    sampler = VideoAdaptiveKeyframesSampling(
        fps=fps,
        max_num_frames=6,
        dtype="float32",
        model_path=str(MODELS),
        clip_model_name="tiny_clip",
        return_keyframes=False,
    )
    paths = sorted(
        str(path) for path in SHARED_VIDEOS.iterdir() if path.suffix in (".mp4", ".webm")
    )
    texts = sf.array(*map(sf.lit, TEXTS))
    videos = spark.createDataFrame([(path,) for path in paths], "video string")
    videos = videos.withColumn("texts", texts)
    index = sampler.index(videos).localCheckpoint()
    columns = {"text_col": "texts", "timestamps_col": "timestamps", "error_col": "error"}
    for selector in ("aks", "top", "bin", "uniform"):
        asking = replace(sampler, selector=selector)
        expected = {row["video"]: row for row in asking.transform(videos, **columns).collect()}
        found = {row["video"]: row for row in asking.transform_index(index, **columns).collect()}
        assert found.keys() == expected.keys() == set(paths)
        for path, row in found.items():
            assert row["error"] is None
            assert row["timestamps"] == expected[path]["timestamps"]
            for own, other in zip(row["keyframes"], expected[path]["keyframes"], strict=True):
                assert own["frame_ids"] == other["frame_ids"]
                assert own["scores"] == pytest.approx(other["scores"], abs=1e-5)
