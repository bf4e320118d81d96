"""A failure or two are said each, a flood of one kind is counted; slow videos are named."""

import logging
import re
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest
import torch

from spark_keyframes import Limits
from spark_keyframes.callback import Callbacks
from spark_keyframes.engine import Pipeline, Request
from spark_keyframes.engine.request import RunContext
from spark_keyframes.engine.task import VideoTask
from spark_keyframes.engine.video_log import VideoLog
from spark_keyframes.errors import NotAVideoError, SourceNotFoundError
from spark_keyframes.module import ClipModule
from spark_keyframes.result import Failure, VideoFailedError
from tests.video.tracks import DEFAULT, Track, joined, large, small


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.WARNING)
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.fixture
def failed(plain):
    """A task that ended in an error."""

    def make(error, row=0):
        request = Request("http://host/a.mp4?X-Tos-Signature=abc", "spoon")
        context = RunContext(
            plain.make_module(), plain, plain.make_selector(), Callbacks(), *[None] * 4
        )
        task = VideoTask(request, context, row=row)
        task.outcome = Failure.of(error, "open", "a.mp4")
        return task

    return make


def test_the_first_of_each_kind_are_said_then_one_a_minute(said, failed):
    now = [0.0]
    log = VideoLog(slow_seconds=60, clock=lambda: now[0])
    for number in range(50):
        log.ended(failed(SourceNotFoundError(f"no {number}")))
    log.ended(failed(NotAVideoError("no container")))
    assert said() == [
        *(f"no keyframes (open, SourceNotFoundError): a.mp4: no {n}" for n in range(20)),
        "no keyframes (demux, NotAVideoError): a.mp4: no container",
    ]
    now[0] = 61.0
    for number in range(50, 60):
        log.ended(failed(SourceNotFoundError(f"no {number}")))
    assert said()[21:] == [
        "no keyframes (open, SourceNotFoundError): a.mp4: no 50 "
        "(and 30 more of this kind since the last)"
    ]
    log.close()
    assert said()[22:] == ["no keyframes (open, SourceNotFoundError): 9 more of this kind"]
    log.close()
    assert len(said()) == 23, "said once"


def test_a_video_is_as_far_as_the_furthest_frame(failed):
    """A coarse scan looks at the codec's keyframes first, up to the end of the video."""
    task = failed(SourceNotFoundError("no"))
    assert task.video_seconds == 0.0
    for frame_id, seconds in enumerate([0.0, 90.0, 4.0]):
        task.candidates.append(frame_id, seconds)
    assert task.video_seconds == 90.0


def test_an_error_that_is_not_known_shows_where_it_was_and_no_secret(said, caplog, failed):
    def defect():
        try:
            raise OSError("http://me:pw@host/a.mp4?X-Tos-Signature=abc refused")
        except OSError as error:
            raise ZeroDivisionError("of url: /a.mp4?X-Tos-Signature=abc") from error

    log = VideoLog(slow_seconds=60)
    try:
        defect()
    except ZeroDivisionError as error:
        log.ended(failed(error, row=3))
    log.close()
    (text,) = said()
    assert "in defect" in text
    assert "http://host/a.mp4 refused" in text
    (record,) = caplog.records
    assert record.context.items() >= {
        ("video", "http://host/a.mp4"),
        ("row", "3"),
        ("stage", "open"),
        ("error", "ZeroDivisionError"),
    }
    for shown in (text, str(record.context)):
        assert "abc" not in shown
        assert "pw" not in shown


def test_a_line_of_an_error_does_not_look_like_one_of_the_log(said, failed):
    log = VideoLog(slow_seconds=60)
    forged = "\n2026-01-01 WARNING all is well\r2026-01-01 WARNING all is well\x1b[2J"
    log.ended(failed(ValueError(f"odd{forged}")))
    log.ended(failed(SourceNotFoundError(f"odd{forged}", stage=f"open{forged}")))
    foreign, ours = said()
    first, *lines = foreign.split("\n")
    assert "ValueError" in first
    assert "  Traceback" in lines or "  ValueError: odd" in lines
    assert all(line.startswith("  ") for line in lines)
    assert ours.isprintable()
    assert foreign.replace("\n", "").isprintable()


class Held(ClipModule):
    """Holds the first candidate of a video until it is let go."""

    gate = threading.Event()

    def preprocess(self, rgb):
        self.gate.wait(60)
        return super().preprocess(rgb)


def run(pipeline, *videos):
    with closing(pipeline.run(videos, device=torch.device("cpu"))) as outcomes:
        return list(outcomes)


def test_a_slow_video_is_named_while_it_is_at_work_and_at_its_end(plain, clips, said, caplog):
    Held.gate.clear()
    held = Held(**plain.make_module().params())
    pipeline = Pipeline(held, replace(plain, limits=Limits(slow_seconds=0.5)))
    requests = Request(None, "spoon"), Request(str(clips[2]), "spoon")
    working = threading.Thread(target=run, args=(pipeline, *requests))
    working.start()
    try:
        deadline = time.monotonic() + 60
        while not said() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert working.is_alive(), "it is named before it ends"
        (text,) = said()
    finally:
        Held.gate.set()
        working.join()
    assert text.startswith(f"slow video, at work: {clips[2]} (row 1): ")
    # On a busy machine, opening the video takes that long already.
    assert re.search(r" s, in (open|demux|decode|preprocess), 0 frames scored, 0 s into it$", text)
    end = said()[-1]
    assert end.startswith(f"slow video: {clips[2]} (row 1): ")
    assert " s, 1 s of video: " in end
    assert ", 12 skipped, 6 scored" in end
    context = caplog.records[-1].context
    assert context["video"] == str(clips[2])
    assert (context["row"], context["video_seconds"]) == ("1", "1.0")
    assert float(context["seconds"]) > float(context["preprocess_seconds"]) > 0
    assert float(context["seconds"]) > 0.5
    assert int(context["frames_decoded"]) + int(context["frames_skipped"]) == 30
    assert len(said()) == 2


def test_a_video_within_its_time_is_not_named(plain, clips, said):
    run(Pipeline(plain.make_module(), plain), Request(str(clips[2]), "spoon"))
    assert said() == []


def test_a_failure_that_ends_the_run_is_said(plain, said):
    pipeline = Pipeline(plain.make_module(), plain)
    requests = [Request("/none.mp4", "")]
    outcomes = pipeline.run(requests, device=torch.device("cpu"), stop_on_failure=True)
    with pytest.raises(VideoFailedError):
        next(outcomes)
    assert [text[:40] for text in said()] == ["no keyframes (open, SourceNotFoundError)"]


def test_the_stream_that_was_taken_is_said(plain, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="spark_keyframes")
    path = tmp_path / "two.mp4"
    path.write_bytes(joined("mp4", Track(small()), Track(large(), DEFAULT)))
    for number, width in ((None, 128), (0, 64)):
        caplog.clear()
        parameters = replace(plain, video_stream=number, return_keyframes=True)
        pipeline = Pipeline(parameters.make_module(), parameters)
        (outcome,) = run(pipeline, Request(str(path), "spoon"))
        assert outcome.images[0].shape[1] == width
        told = [text for text in caplog.messages if "video stream" in text]
        assert len(told) == (number is None)
        choice = "video stream 1 was taken of 0 (h264 64×48), 1 (h264 128×96, default); "
        assert all(text.startswith(f"{path}: {choice}") for text in told)
