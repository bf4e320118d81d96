"""The account of a video: from sample(), as a column, and formatted."""

import time
from contextlib import closing, contextmanager

import pytest
import torch

from spark_keyframes import KeyframesModule, VideoAdaptiveKeyframesSampling
from spark_keyframes.engine import ImageWriter, Pipeline, Request
from spark_keyframes.errors import STAGES, StorageWriteError
from spark_keyframes.result import Failure
from spark_keyframes.spark.monitoring.metrics import _account_lines as account_lines
from spark_keyframes.video import open_source
from spark_keyframes.video.av_video import open_video
from tests.video.clips import number_in

FPS, SCORED = 5, {"a": 18, "b": 10, "c": 6}
FRAMES = {"a": 90, "b": 50, "c": 30}


def outcome_of(sampler, video, **options):
    pipeline = Pipeline(sampler.make_module(), sampler, workers=1, **options)
    run = pipeline.run([Request(str(video), "spoon")], device=torch.device("cpu"))
    with closing(run) as outcomes:
        return next(outcomes)


def decoded_alone(path):
    """Return how many frames the candidates need, decoded without the engine."""
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
    account = outcome_of(plain, clips[0], writer=writer).account
    elapsed = time.perf_counter() - begin
    assert tuple(account.seconds) == STAGES
    assert all(seconds > 0 for seconds in account.seconds.values()), account.seconds
    assert account.images_uploaded == 4
    assert account.bytes_uploaded == sum(path.stat().st_size for path in tmp_path.rglob("*.jpg"))
    assert sum(account.seconds.values()) < elapsed + account.waited


def test_frames_decoded_again_count_again(plain, clips, tmp_path):
    writer = ImageWriter(str(tmp_path), ".jpg")
    account = outcome_of(plain, clips[0], writer=writer, held_bytes=0).account
    assert account.decoded_again == 4
    assert account.frames_scored == 18
    assert account.frames_decoded >= decoded_alone(clips[0]) + 4
    first_pass = FRAMES["a"] - account.frames_skipped
    assert first_pass == decoded_alone(clips[0]), "the second pass is not part of frames_skipped"


@pytest.mark.parametrize("threads", [1, 3])
def test_a_failure_has_the_account_so_far(plain, clips, threads):
    class Broken(KeyframesModule):
        def preprocess(self, rgb):
            if number_in(rgb) == 20:
                time.sleep(0.02)
                raise ValueError("boom")
            return number_in(rgb)

        def predict_step(self, inputs, texts):
            return inputs

    broken = VideoAdaptiveKeyframesSampling(module=Broken(), fps=FPS, return_keyframes=False)
    failure = outcome_of(broken, clips[0], threads=threads)
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
        "frames_decoded:bigint,frames_skipped:bigint,candidates_total:bigint,"
        "frames_scored:bigint,guides_scored:bigint,scored_again:bigint,decoded_again:bigint,"
        "frames_doubtful:bigint,"
        "images_uploaded:bigint,bytes_uploaded:bigint>"
    )
    assert field.nullable
    good, missing, null = (row["took"] for row in result.collect())
    assert good["frames_decoded"] == decoded_alone(clips[0])
    assert good["frames_decoded"] + good["frames_skipped"] == 90
    assert good["frames_scored"] == good["candidates_total"] == 18
    assert good["guides_scored"] == 0
    assert good["decode_seconds"] > 0
    assert missing["open_seconds"] > 0
    assert missing["frames_decoded"] == missing["clip_seconds"] == 0
    assert null is None


def test_account_lines():
    metrics = {f"{stage}_seconds": 0.0 for stage in STAGES}
    metrics |= {"decode_seconds": 12.0, "clip_seconds": 7.9, "open_seconds": 0.1}
    metrics |= {"waited_seconds": 1.5, "frames_decoded": 1200, "frames_skipped": 300}
    metrics |= {"frames_scored": 79, "images_uploaded": 0}
    assert account_lines(metrics) == [
        "seconds    decode 12.0 (60%), clip 7.9 (40%), waited 1.5 for the model; "
        "summed over the videos",
        "frames     1200 decoded (100/s), 300 skipped, 79 scored (10/s)",
    ]
    metrics |= {"candidates_total": 200}
    assert "79 of 200 candidates scored (10/s)" in account_lines(metrics)[1]
    metrics |= {"images_uploaded": 12, "bytes_uploaded": 3_456_000, "frames_doubtful": 50}
    assert account_lines(metrics)[1:] == [
        "frames     1200 decoded (100/s), 50 of them for doubt, 300 skipped, "
        "79 of 200 candidates scored (10/s)",
        "uploaded   12 images, 3.5 MB",
    ]


def test_stored_images_of_a_video_that_fails_later_count(plain, clips, tmp_path):
    first = plain.sample(clips[0]).frame_ids[0]
    writer = ImageWriter(str(tmp_path), ".jpg")

    class Full(ImageWriter):
        @contextmanager
        def begin(self, *video):
            with writer.begin(*video) as upload:
                add = upload.add

                def refuse_later(frame_id, data):
                    if frame_id != first:
                        raise StorageWriteError("no room")
                    add(frame_id, data)

                upload.add = refuse_later
                yield upload

    full = Full(str(tmp_path), ".jpg")
    failure = outcome_of(plain, clips[0], writer=full)
    assert failure.error == "StorageWriteError"
    (stored,) = tmp_path.rglob("*.jpg")
    assert failure.account.images_uploaded == 1
    assert failure.account.bytes_uploaded == stored.stat().st_size
