"""Many videos, one model: the same result, in order, whatever the batches and the failures."""

import threading
import time
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from spark_keyframes.engine import ImageWriter, Request
from spark_keyframes.errors import ModelNotFoundError, ParameterError
from spark_keyframes.module import KeyframesModule
from spark_keyframes.result import Keyframes
from tests.engine.pipelines import CPU, Watched, run, same
from tests.video.clips import number_in


def test_outcomes_come_in_the_order_of_the_requests(pipeline, clips):
    long, middle, short = clips
    outcomes = run(pipeline(workers=3), [long, short, middle, short, long])
    counts = [len(outcome.candidates.scores) for outcome in outcomes]
    assert counts == [18, 6, 10, 6, 18]
    same(outcomes[0], outcomes[4])
    same(outcomes[1], outcomes[3])


def test_a_run_goes_on_with_requests_that_come_later(pipeline, clips):
    waiting = []

    def requests():
        while True:
            yield waiting.pop(0) if waiting else None

    counts = dict(zip(clips, (18, 10, 6), strict=True))
    with closing(pipeline(workers=3).run(requests(), device=CPU)) as outcomes:
        for batch in ([clips[0], "/none.mp4", None], [clips[2]], clips):
            waiting.extend(Request(video and str(video), "spoon") for video in batch)
            got = [next(outcomes) for _ in batch]
            scored = [len(each.candidates.scores) for each in got if isinstance(each, Keyframes)]
            assert scored == [counts[video] for video in batch if video in counts]
            assert not waiting


def test_keyframes_are_the_selection_from_their_candidates(pipeline, clips):
    (outcome,) = run(pipeline(), clips[:1])
    ids, curve = outcome.candidates.frame_ids, outcome.candidates.scores
    chosen = pipeline().parameters.make_selector().select(curve, 4)
    assert outcome.frame_ids == [ids[index] for index in chosen]
    assert outcome.scores == [curve[index] for index in chosen]
    assert ids == list(range(0, 90, 5))
    assert outcome.timestamps == pytest.approx([number / 25 for number in outcome.frame_ids])


def test_images_are_the_frames_at_full_size(pipeline, clips):
    (outcome,) = run(pipeline(), clips[:1])
    assert [number_in(image) for image in outcome.images] == outcome.frame_ids
    assert all(image.shape == (96, 160, 3) and image.dtype == np.uint8 for image in outcome.images)


def test_without_return_keyframes_there_are_no_images(pipeline, clips):
    (outcome,) = run(pipeline(return_keyframes=False), clips[:1])
    assert outcome.images == []
    assert len(outcome.frame_ids) == 4


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float16", marks=pytest.mark.slow)])
@pytest.mark.parametrize("return_keyframes", [True, False])
def test_one_pass_gives_what_two_passes_give(pipeline, clips, dtype, return_keyframes):
    parameters = {"dtype": dtype, "return_keyframes": return_keyframes, "fps": 25.0}
    held = run(pipeline(**parameters), clips)
    again = run(pipeline(**parameters, held_bytes=0), clips)
    for one, two in zip(held, again, strict=True):
        same(one, two)
        assert one.account.scored_again == two.account.scored_again
        assert len(one.images) == len(two.images) == (4 if return_keyframes else 0)
        assert all(map(np.array_equal, one.images, two.images))


@pytest.mark.parametrize("batch_size", [1, 7, 64])
@pytest.mark.parametrize("workers", [1, 4])
def test_batches_and_workers_do_not_change_the_result(pipeline, clips, batch_size, workers):
    expected = run(pipeline(), clips)
    outcomes = run(pipeline(batch_size=batch_size, workers=workers), clips)
    for outcome, wanted in zip(outcomes, expected, strict=True):
        same(outcome, wanted)


def test_frames_of_several_videos_share_batches(pipeline, clips):
    class Slow(Watched):
        def predict_step(self, inputs, texts, *, exact=False):
            time.sleep(0.3)  # meanwhile the other videos submit their frames
            return super().predict_step(inputs, texts, exact=exact)

    watched = pipeline(Slow, batch_size=8, workers=4)
    run(watched, [clips[2]] * 8)
    assert sum(size for size, _, _ in watched.module.batches) == 8 * 6
    assert max(size for size, _, _ in watched.module.batches) == 8 > 6


def test_the_last_frames_of_a_video_do_not_wait_for_the_next(pipeline, clips):
    """A request that never comes must not hold back the outcome of the one before."""
    gate = threading.Event()

    def requests():
        yield Request(video=str(clips[2]), text="spoon")
        gate.wait(30)

    one_worker = pipeline(batch_size=64, workers=1)
    with closing(one_worker.run(requests(), device=CPU)) as outcomes:
        begin = time.monotonic()
        assert isinstance(next(outcomes), Keyframes)
        assert time.monotonic() - begin < 15
        gate.set()


def test_each_request_is_scored_against_its_own_text(pipeline, clips):
    requests = [Request(str(clips[0]), "spoon"), Request(str(clips[0]), "a red car")]
    mixed = list(pipeline(workers=2).run(requests, device=CPU))
    alone = [run(pipeline(), clips[:1], text=text)[0] for text in ("spoon", "a red car")]
    for outcome, expected in zip(mixed, alone, strict=True):
        same(outcome, expected)
    assert mixed[0].scores != mixed[1].scores


@pytest.mark.usefixtures("bfloat16")
def test_float16_looks_twice_only_at_what_is_close(pipeline, clips):
    class Rough(Watched):
        def setup(self, device):
            super().setup(device)
            self.tolerance = 0.01  # random weights tell frames apart better than real ones

    watched = pipeline(Rough, dtype="float16", fps=25.0)
    exact, fast = run(pipeline(fps=25.0), clips[:1]), run(watched, clips[:1])
    assert fast[0].frame_ids == exact[0].frame_ids
    looks = [size for size, _, second in watched.module.batches if second]
    assert 0 < sum(looks) == fast[0].account.scored_again <= 8


def test_frames_too_close_to_call_are_scored_again_and_no_others(pipeline, clips):
    """Rough scores prefer frame 20 to 25; the exact ones, 0.1 and 0.11, do not."""

    class Rough(KeyframesModule):
        tolerance = 0.02

        def __init__(self, **parameters):
            self.scored_again = []

        def preprocess(self, rgb):
            return number_in(rgb)

        def predict_step(self, inputs, texts, *, exact=False):
            if exact:
                self.scored_again += inputs
            scores = {20: 0.1, 25: 0.11} if exact else {20: 0.12, 25: 0.1}
            return [scores.get(number, -number / 100) for number in inputs]

    rough = pipeline(Rough, selector="top", max_num_frames=1)
    (outcome,) = run(rough, clips[:1])
    assert outcome.frame_ids == [25]
    assert outcome.scores == pytest.approx([0.11])
    assert sorted(rough.module.scored_again) == [20, 25]
    assert outcome.account.scored_again == 2


def test_a_null_is_none_and_costs_nothing(pipeline, clips):
    outcomes = run(pipeline(), [None, clips[2], None])
    assert outcomes[0] is None
    assert isinstance(outcomes[1], Keyframes)
    assert outcomes[2] is None
    no_text = [Request(str(clips[0]), None)]
    assert list(pipeline().run(no_text, device=CPU)) == [None]


def test_no_requests_no_outcomes(pipeline):
    assert run(pipeline(), []) == []


def test_a_failure_costs_its_own_row_only(pipeline, clips, tmp_path):
    (tmp_path / "text.mp4").write_text("this is no video " * 99)
    (tmp_path / "cut.mp4").write_bytes(clips[0].read_bytes()[:300])
    videos = [
        clips[2],
        tmp_path / "none.mp4",
        tmp_path / "text.mp4",
        tmp_path / "cut.mp4",
        clips[2],
    ]
    first, missing, text, cut, last = run(pipeline(), videos)
    same(first, last)
    assert (missing.stage, missing.error) == ("open", "SourceNotFoundError")
    assert (text.stage, text.error) == ("demux", "NotAVideoError")
    assert cut.stage == "demux"
    for failure, name in ((missing, "none.mp4"), (text, "text.mp4"), (cut, "cut.mp4")):
        assert name in failure.message, "a message names its video"


def test_an_error_that_nobody_foresaw_is_a_failure_with_its_stage(
    pipeline, clips, caplog, monkeypatch
):
    def broken(*args, **options):
        raise ZeroDivisionError("boom")

    monkeypatch.setattr("spark_keyframes.engine.task.open_source", broken)
    (failure,) = run(pipeline(), clips[:1])
    assert (failure.stage, failure.error) == ("open", "ZeroDivisionError")
    assert failure.message.endswith("boom")
    assert "Traceback" in caplog.text, "where it happened must be found out"


def test_a_missing_model_ends_the_run(pipeline, clips):
    with pytest.raises(ModelNotFoundError, match="set model_path"):
        run(pipeline(clip_model_name="none"), clips)


def test_stores_images_under_keys_that_do_not_change(pipeline, clips, tmp_path):
    writer = ImageWriter(str(tmp_path / "out"), ".jpg")
    (first,) = run(pipeline(writer=writer), clips[:1])
    contents = {path: open(path, "rb").read() for path in first.tos_paths}  # noqa: PTH123, SIM115
    (second,) = run(pipeline(return_keyframes=False, writer=writer, held_bytes=0), clips[:1])
    assert second.tos_paths == first.tos_paths
    assert contents == {path: open(path, "rb").read() for path in second.tos_paths}  # noqa: PTH123, SIM115
    names = [path.rsplit("/", 1)[1] for path in first.tos_paths]
    assert names == [f"{number:08}.jpg" for number in first.frame_ids]
    assert sorted(p.name for p in (tmp_path / "out").rglob("*.*")) == [
        ".spark_keyframes_check",
        *names,
    ]


def test_an_image_that_cannot_be_stored_is_a_failure(pipeline, clips, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    writer = ImageWriter(f"{tmp_path}/file/below", ".jpg")
    with pytest.raises(ParameterError, match="file"):
        run(pipeline(writer=writer), clips[:1])
    monkeypatch.setattr(ImageWriter, "check", lambda self: None)  # what comes in between
    (failure,) = run(pipeline(writer=writer), clips[:1])
    assert (failure.stage, failure.error) == ("upload", "StorageWriteError")


def test_a_least_score_gives_fewer_frames_or_none(sampler, clips):
    every = sampler.sample(clips[0])
    scores = sorted(every.candidates.scores)
    some = replace(sampler, min_score=scores[-2]).sample(clips[0])
    assert sorted(some.scores) == scores[-2:]
    assert some.candidates == every.candidates
    none = replace(sampler, min_score=1.0).sample(clips[0])
    assert (none.frame_ids, none.scores, none.images, none.tos_paths) == ([], [], [], [])
