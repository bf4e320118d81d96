"""scan="coarse" on Spark: as sample() finds, and refused where all candidates are needed."""

from dataclasses import replace

import pytest

from spark_keyframes import ParameterError
from tests.video.clips import H264, clip


@pytest.fixture
def coarse(sampler):
    return replace(sampler, scan="coarse", scan_budget=0.6, fps=5, max_num_frames=4)


def test_transform_finds_what_sample_does(spark, coarse, tmp_path):
    path = tmp_path / "video.mp4"
    options = H264 | {"sc_threshold": "0"}
    path.write_bytes(clip("libx264", "mp4", frames=240, gop=15, options=options))
    frame = spark.createDataFrame([(str(path),)], "video string")
    (row,) = coarse.transform(
        frame, account_col="account", curve_col="curve", made_by_col="made_by"
    ).collect()
    alone = coarse.sample(path)
    assert row["keyframes"]["frame_ids"] == alone.frame_ids
    account = row["account"]
    assert account["candidates_total"] == 48
    assert account["frames_scored"] == alone.account.frames_scored < 48
    assert len(row["curve"]["scores"]) == account["frames_scored"]
    assert row["made_by"]["selector"] == "aks(scan='coarse', scan_budget=0.6)"


def test_what_needs_all_candidates_is_refused_on_the_driver(spark, sampler, coarse, clips):
    videos = spark.createDataFrame([(str(clips[0]),)], "video string")
    index = sampler.index(videos)
    for what, call in {
        "index()": lambda: coarse.index(videos),
        "transform_index()": lambda: coarse.transform_index(index),
        "search()": lambda: coarse.search(index),
        "candidates_col": lambda: coarse.transform(videos, candidates_col="candidates"),
    }.items():
        with pytest.raises(ParameterError) as refused:
            call()
        assert str(refused.value) == f'scan="coarse" does not go with {what}; leave scan out'
