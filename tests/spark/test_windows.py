"""Parts of videos: `start_col` and `end_col`, and `sample(start=, end=)`."""

import math
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from spark_keyframes import ParameterError
from spark_keyframes.errors import WindowError
from tests.video.clips import number_in


@pytest.mark.parametrize("decoder", ["thread", "process"])
def test_segments_have_the_candidates_of_the_whole_video(sampler, clips, decoder):
    every = replace(sampler, decoder=decoder, max_num_frames=100)
    whole = every.sample(clips[0])
    edges = (0, 1.3, Decimal("2.6"), 3600)
    segments = [every.sample(clips[0], start=at, end=to) for at, to in pairwise(edges)]
    for name in ("frame_ids", "timestamps", "scores"):
        joined = [value for segment in segments for value in getattr(segment, name)]
        assert joined == pytest.approx(getattr(whole, name), abs=1e-6)
    assert [number_in(image) for image in segments[1].images] == segments[1].frame_ids
    assert segments[1].frame_ids == [35, 40, 45, 50, 55, 60]
    assert segments[2].account.frames_decoded < whole.account.frames_decoded
    # From a timestamp of a result on, with its frame; up to one, without.
    assert every.sample(clips[0], start=whole.timestamps[3]).frame_ids == whole.frame_ids[3:]
    assert every.sample(clips[0], end=whole.timestamps[3]).frame_ids == whole.frame_ids[:3]


def test_a_part_without_a_candidate_gives_no_keyframes(sampler, clips, tmp_path):
    for selector in ("aks", "top", "bin", "uniform"):
        storing = replace(sampler, selector=selector, output_tos_dir=str(tmp_path))
        found = storing.sample(clips[0], start=1.01, end=1.02)
        assert (found.frame_ids, found.scores, found.images, found.tos_paths) == ([], [], [], [])
        assert found.account.frames_scored == 0
    first, second = sampler.sample(clips[0], text=["a", "b"], start=1.01, end=1.02)
    assert first.frame_ids == second.frame_ids == []


def test_several_texts_for_a_part(sampler, clips):
    part = {"start": 1.0, "end": 2.0}
    first, second = sampler.sample(clips[0], text=["spoon", "fork"], **part)
    assert first.frame_ids == sampler.sample(clips[0], text="spoon", **part).frame_ids
    assert second.frame_ids == sampler.sample(clips[0], text="fork", **part).frame_ids
    assert set(first.frame_ids) <= {25, 30, 35, 40, 45}


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"start": -1}, "start must be at least 0 seconds, got -1"),
        ({"start": 2, "end": 2}, "end must be greater than start"),
        ({"end": math.nan}, "end must be at least 0 seconds, got nan"),
        ({"start": 3.6}, r"a\.mp4: start 3\.6 is at or behind the end .* 3\.6 seconds long"),
        ({"start": "1:30"}, "start must be a number of seconds, got '1:30'"),
    ],
)
def test_a_bad_part_is_raised(plain, clips, part, message):
    with pytest.raises(WindowError, match=message):
        plain.sample(clips[0], **part)


def test_parts_are_rows(spark, sampler, clips, tmp_path):
    rows = [
        (1, str(clips[0]), 0.0, Decimal("1.30")),
        (2, str(clips[0]), 1.3, None),
        (3, str(clips[0]), None, Decimal("1e10")),
        (4, str(clips[0]), 3.59, None),
        (5, str(clips[0]), -1.0, None),
        (6, str(clips[0]), 3.6, None),
        (7, str(clips[0]), math.nan, None),
        (8, None, -1.0, None),
        (9, str(clips[0]), 0.5, Decimal("1.5")),
    ]
    frame = spark.createDataFrame(rows, "id int, video string, from double, to decimal(20, 2)")
    storing = replace(sampler, max_num_frames=100, output_tos_dir=str(tmp_path))
    found = storing.transform(
        frame.coalesce(1),
        start_col="from",
        end_col="to",
        error_col="error",
        timestamps_col="timestamps",
    ).collect()
    assert [repr(row[:4]) for row in found] == [repr(tuple(row)) for row in frame.collect()], (
        "the columns stay"
    )
    ids = [row["keyframes"] and row["keyframes"]["frame_ids"] for row in found]
    assert ids[:4] == [[0, 5, 10, 15, 20, 25, 30], [*range(35, 90, 5)], [*range(0, 90, 5)], []]
    assert ids[4:8] == [None] * 4
    errors = [row["error"] and row["error"]["error"] for row in found]
    assert errors == [None] * 4 + ["WindowError"] * 3 + [None] * 2
    assert found[4]["error"]["stage"] == "demux"
    assert "start must be at least 0 seconds, got -1" in found[4]["error"]["message"]
    assert found[8]["timestamps"] == pytest.approx([0.6, 0.8, 1.0, 1.2, 1.4])
    # The frames of overlapping parts are the same files.
    paths = {path for row in found if row["keyframes"] for path in row["keyframes"]["tos_paths"]}
    assert len(paths) == 18
    assert found[8]["keyframes"]["tos_paths"] == found[2]["keyframes"]["tos_paths"][3:8]


@pytest.mark.slow
def test_parts_in_a_stream(spark, plain, clips, tmp_path):
    rows = [(str(clips[0]), 1, 2), (str(clips[0]), 2, None)]
    frame = spark.createDataFrame(rows, "video string, from int, to int")
    frame.write.json(str(tmp_path / "in"))
    stream = spark.readStream.schema(frame.schema).json(str(tmp_path / "in"))
    found = plain.transform(stream, start_col="from", end_col="to", timestamps_col="times")
    query = found.writeStream.format("memory").queryName("parts").trigger(availableNow=True)
    query.start().awaitTermination()
    for row in spark.table("parts").collect():
        alone = plain.sample(row["video"], start=row["from"], end=row["to"])
        assert row["keyframes"]["frame_ids"] == alone.frame_ids
        assert row["times"] == alone.timestamps


def test_columns_of_other_types_are_refused_on_the_driver(spark, plain):
    frame = spark.createDataFrame([("a.mp4", "5")], "video string, at string")
    for name in ("start_col", "end_col"):
        with pytest.raises(ParameterError, match=f"{name} 'at' is of type string, but seconds are"):
            plain.transform(frame, **{name: "at"})
        with pytest.raises(ParameterError, match=f"{name} 'x' is not a column of the DataFrame"):
            plain.transform(frame, **{name: "x"})
    for kind in ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal(5, 2)"):
        ints = spark.sql(f"SELECT 'a.mp4' AS video, CAST(5 AS {kind}) AS at")
        assert plain.transform(ints, start_col="AT", end_col="at").columns[:2] == ["video", "at"]
