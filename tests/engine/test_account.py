"""What a video took: in sample(), as a column, summed up by an observation, and in words."""

import time
from contextlib import closing

import pytest
import torch
from pyspark.sql import Observation

from spark_keyframes.engine import ImageWriter, Pipeline, Request
from spark_keyframes.engine.account import account_cell, account_lines, account_metrics
from spark_keyframes.errors import STAGES
from spark_keyframes.module import KeyframesModule
from spark_keyframes.result import Failure
from spark_keyframes.video import open_source
from spark_keyframes.video.decoder import open_video
from tests.video.clips import number_in

FPS, SCORED = 5, {"a": 18, "b": 10, "c": 6}
FRAMES = {"a": 90, "b": 50, "c": 30}


def outcome_of(module, video, **options):
    pipeline = Pipeline(module, device=torch.device("cpu"), workers=1, **options)
    with closing(pipeline.run([Request(str(video), "spoon")])) as outcomes:
        return next(outcomes)


def decoded_alone(path):
    """Frames that the candidates take, decoded here without the engine."""
    with open_source(str(path)) as source, open_video(source.file) as video:
        list(video.candidates(FPS))
        return video.frames_decoded


def test_each_frame_of_the_video_is_decoded_or_skipped(plain, clips):
    for path in clips:
        account = plain.sample(path).account
        assert account.frames_decoded == decoded_alone(path)
        assert account.frames_decoded + account.frames_skipped == FRAMES[path.stem]
        assert account.frames_scored == SCORED[path.stem] <= account.frames_decoded
        assert (account.scored_again, account.decoded_again) == (0, 0)


def test_each_stage_has_its_seconds(plain, clips, tmp_path):
    begin = time.perf_counter()
    writer = ImageWriter(str(tmp_path), ".jpg")
    account = outcome_of(KeyframesModule(plain), clips[0], writer=writer).account
    elapsed = time.perf_counter() - begin
    assert tuple(account.seconds) == STAGES
    assert all(seconds > 0 for seconds in account.seconds.values()), account.seconds
    assert sum(account.seconds.values()) < elapsed + account.waited


def test_frames_decoded_again_count_again(plain, clips, tmp_path):
    writer = ImageWriter(str(tmp_path), ".jpg")
    account = outcome_of(KeyframesModule(plain), clips[0], writer=writer, held_bytes=0).account
    assert account.decoded_again == 4
    assert account.frames_scored == 18
    assert account.frames_decoded >= decoded_alone(clips[0]) + 4
    first_pass = FRAMES["a"] - account.frames_skipped
    assert first_pass == decoded_alone(clips[0]), "the second pass skips no more, and no less"


@pytest.mark.parametrize("threads", [1, 3])
def test_a_failure_says_what_it_took_until_then(plain, clips, threads):
    class Broken(KeyframesModule):
        def preprocess(self, rgb):
            if number_in(rgb) == 20:
                time.sleep(0.02)
                raise ValueError("boom")
            return super().preprocess(rgb)

    failure = outcome_of(Broken(plain), clips[0], threads=threads)
    assert isinstance(failure, Failure)
    assert failure.stage == "preprocess"
    account = failure.account
    assert account.seconds["preprocess"] >= 0.02
    assert account.seconds["upload"] == 0
    assert account.frames_decoded + account.frames_skipped == FRAMES["a"]
    assert account.frames_decoded >= 5, "candidates 0, 5, 10, 15 and 20"
    assert account.frames_scored <= 4


def test_the_column_holds_the_account_of_each_row_that_has_one(spark, plain, clips):
    rows = [(str(clips[0]),), ("/none.mp4",), (None,)]
    frame = spark.createDataFrame(rows, "video string")
    result = plain.transform(frame, account_col="took", error_col="why")
    field = result.schema["took"]
    assert field.dataType.simpleString() == (
        "struct<open_seconds:double,demux_seconds:double,decode_seconds:double,"
        "preprocess_seconds:double,clip_seconds:double,select_seconds:double,"
        "encode_seconds:double,upload_seconds:double,waited_seconds:double,"
        "frames_decoded:bigint,frames_skipped:bigint,frames_scored:bigint,"
        "scored_again:bigint,decoded_again:bigint>"
    )
    assert field.nullable
    good, missing, null = (row["took"] for row in result.collect())
    assert good["frames_decoded"] == decoded_alone(clips[0])
    assert good["frames_decoded"] + good["frames_skipped"] == 90
    assert good["frames_scored"] == 18
    assert good["decode_seconds"] > 0
    assert missing["open_seconds"] > 0
    assert missing["frames_decoded"] == missing["clip_seconds"] == 0
    assert null is None


def test_an_observation_sums_it_up_though_the_column_is_dropped(spark, plain, clips):
    frame = spark.createDataFrame([(str(path),) for path in (*clips, None)], "video string")
    seen = Observation()
    result = plain.transform(frame, account_col="took").observe(seen, *account_metrics("took"))
    assert result.drop("took").select("video").count() == 4
    assert seen.get["frames_decoded"] + seen.get["frames_skipped"] == 90 + 50 + 30
    assert seen.get["frames_scored"] == 18 + 10 + 6
    assert seen.get["decode_seconds"] > 0


def test_nothing_observed_is_zero(spark, plain):
    seen = Observation()
    frame = spark.createDataFrame([(None,)], "video string")
    plain.transform(frame, account_col="took").observe(seen, *account_metrics("took")).collect()
    assert set(seen.get.values()) == {0}
    assert account_lines(seen.get) == [
        "seconds    waited 0.0 for the model; summed over the videos",
        "frames     0 decoded, 0 skipped, 0 scored",
    ]


def test_two_lines_say_where_the_time_went():
    metrics = {f"{stage}_seconds": 0.0 for stage in STAGES}
    metrics |= {"decode_seconds": 12.0, "clip_seconds": 7.9, "open_seconds": 0.1}
    metrics |= {"waited_seconds": 1.5, "frames_decoded": 1200, "frames_skipped": 300}
    assert account_lines(metrics | {"frames_scored": 79}) == [
        "seconds    decode 12.0 (60%), clip 7.9 (40%), waited 1.5 for the model; "
        "summed over the videos",
        "frames     1200 decoded (100/s), 300 skipped, 79 scored (10/s)",
    ]


def test_a_null_video_has_no_account():
    assert account_cell(None) is None
