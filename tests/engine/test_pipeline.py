"""Many videos, one model: order, failures, bounds, and the same result whatever the machinery."""

import gc
import threading
import time
import weakref
from contextlib import closing

import numpy as np
import pytest
import torch

from spark_keyframes.engine import ImageWriter, Pipeline, Request
from spark_keyframes.engine.frame_cache import FrameCache
from spark_keyframes.engine.pipeline import VideoFailedError
from spark_keyframes.engine.task import VideoTask
from spark_keyframes.errors import ModelNotFoundError, ParameterError
from spark_keyframes.module import KeyframesModule
from spark_keyframes.parameters import Parameters
from spark_keyframes.result import Failure, Keyframes
from spark_keyframes.video import run_pool
from tests.video.clips import clip, number_in

CPU = torch.device("cpu")


class Watched(KeyframesModule):
    """A module that remembers the batches it scored."""

    def __init__(self, parameters):
        super().__init__(parameters)
        self.batches = []

    def predict_step(self, pixels, texts, *, exact=False):
        self.batches.append((len(pixels), sorted(set(texts)), exact))
        return super().predict_step(pixels, texts, exact=exact)


@pytest.fixture
def module(models):
    def make(**parameters):
        given = {"text": "spoon", "model_path": str(models), "clip_model_name": "small"}
        given |= {"fps": 5.0, "max_num_frames": 4, "dtype": "float32"}
        return Watched(Parameters(**(given | parameters)))

    return make


def run(module, videos, text="spoon", **options):
    requests = [Request(video=None if v is None else str(v), text=text) for v in videos]
    return list(Pipeline(module, device=CPU, **options).run(requests))


def same(left, right):
    assert left.frame_ids == right.frame_ids
    # A frame's score depends on its batch in the last bits only.
    assert left.scores == pytest.approx(right.scores, abs=1e-6)


def test_outcomes_come_in_the_order_of_the_requests(module, clips):
    long, middle, short = clips
    outcomes = run(module(), [long, short, middle, short, long], workers=3)
    counts = [len(outcome.candidates.scores) for outcome in outcomes]
    assert counts == [18, 6, 10, 6, 18]
    same(outcomes[0], outcomes[4])
    same(outcomes[1], outcomes[3])


def test_keyframes_are_the_selection_from_their_candidates(module, clips):
    (outcome,) = run(module(), clips[:1])
    ids, curve = outcome.candidates.frame_ids, outcome.candidates.scores
    chosen = module().select(curve)
    assert outcome.frame_ids == [ids[index] for index in chosen]
    assert outcome.scores == [curve[index] for index in chosen]
    assert ids == list(range(0, 90, 5))
    assert outcome.timestamps == pytest.approx([number / 25 for number in outcome.frame_ids])


def test_images_are_the_frames_at_full_size(module, clips):
    (outcome,) = run(module(), clips[:1])
    assert [number_in(image) for image in outcome.images] == outcome.frame_ids
    assert all(image.shape == (96, 160, 3) and image.dtype == np.uint8 for image in outcome.images)


def test_without_return_keyframes_there_are_no_images(module, clips):
    (outcome,) = run(module(return_keyframes=False), clips[:1])
    assert outcome.images == []
    assert len(outcome.frame_ids) == 4


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("return_keyframes", [True, False])
def test_one_pass_gives_what_two_passes_give(module, clips, dtype, return_keyframes):
    parameters = {"dtype": dtype, "return_keyframes": return_keyframes, "fps": 25.0}
    held = run(module(**parameters), clips)
    again = run(module(**parameters), clips, held_bytes=0)
    for one, two in zip(held, again, strict=True):
        same(one, two)
        assert one.account.scored_again == two.account.scored_again
        assert all(map(np.array_equal, one.images, two.images))


@pytest.mark.parametrize("batch_size", [1, 7, 64])
@pytest.mark.parametrize("workers", [1, 4])
def test_batches_and_workers_do_not_change_the_result(module, clips, batch_size, workers):
    expected = run(module(), clips)
    outcomes = run(module(batch_size=batch_size), clips, workers=workers)
    for outcome, wanted in zip(outcomes, expected, strict=True):
        same(outcome, wanted)


def test_frames_of_several_videos_share_batches(module, clips):
    watched = module(batch_size=8)
    run(watched, [clips[2]] * 8, workers=4)
    assert sum(size for size, _, _ in watched.batches) == 8 * 6
    assert max(size for size, _, _ in watched.batches) == 8 > 6


def test_the_last_frames_of_a_video_do_not_wait_for_the_next(module, clips):
    """A request that never comes must not hold back the outcome of the one before."""
    gate = threading.Event()

    def requests():
        yield Request(video=str(clips[2]), text="spoon")
        gate.wait(30)

    pipeline = Pipeline(module(batch_size=64), device=CPU, workers=1)
    with closing(pipeline.run(requests())) as outcomes:
        begin = time.monotonic()
        assert isinstance(next(outcomes), Keyframes)
        assert time.monotonic() - begin < 15
        gate.set()


def test_each_request_is_scored_against_its_own_text(module, clips):
    requests = [Request(str(clips[0]), "spoon"), Request(str(clips[0]), "a red car")]
    mixed = list(Pipeline(module(), device=CPU, workers=2).run(requests))
    alone = [run(module(), clips[:1], text=text)[0] for text in ("spoon", "a red car")]
    for outcome, expected in zip(mixed, alone, strict=True):
        same(outcome, expected)
    assert mixed[0].scores != mixed[1].scores


def test_float16_looks_twice_only_at_what_is_close(module, clips, monkeypatch):
    from spark_keyframes.clip import precision

    monkeypatch.setattr(precision, "_cpu_multiplies_bfloat16", lambda: True)
    watched = module(dtype="float16")
    exact, fast = run(module(), clips[:1]), run(watched, clips[:1])
    assert fast[0].frame_ids == exact[0].frame_ids
    looks = [size for size, _, second in watched.batches if second]
    assert sum(looks) <= 8


def test_a_null_is_none_and_costs_nothing(module, clips):
    outcomes = run(module(), [None, clips[2], None])
    assert outcomes[0] is None
    assert isinstance(outcomes[1], Keyframes)
    assert outcomes[2] is None
    assert list(Pipeline(module(), device=CPU).run([Request(str(clips[0]), None)])) == [None]


def test_no_requests_no_outcomes(module):
    assert run(module(), []) == []


def test_a_failure_costs_its_own_row_only(module, clips, tmp_path):
    (tmp_path / "text.mp4").write_text("this is no video " * 99)
    (tmp_path / "cut.mp4").write_bytes(clips[0].read_bytes()[:300])
    videos = [
        clips[2],
        tmp_path / "none.mp4",
        tmp_path / "text.mp4",
        tmp_path / "cut.mp4",
        clips[2],
    ]
    first, missing, text, cut, last = run(module(), videos)
    same(first, last)
    assert (missing.stage, missing.error) == ("open", "SourceNotFoundError")
    assert (text.stage, text.error) == ("demux", "NotAVideoError")
    assert cut.stage == "demux"
    for failure, name in ((missing, "none.mp4"), (text, "text.mp4"), (cut, "cut.mp4")):
        assert name in failure.message, "a message names its video"


def test_an_error_that_nobody_foresaw_is_a_failure_with_its_stage(module, clips, caplog):
    class Broken(Watched):
        def preprocess(self, rgb):
            if number_in(rgb) > 20:
                raise ZeroDivisionError("boom")
            return super().preprocess(rgb)

    broken = Broken(module().parameters)
    failure, good = run(broken, [clips[0], clips[2].with_name("none.mp4")])
    assert (failure.stage, failure.error) == ("preprocess", "ZeroDivisionError")
    assert failure.message == f"{clips[0]}: boom"
    assert isinstance(good, Failure)
    assert "Traceback" in caplog.text, "where it happened must be found out"


def test_a_score_that_is_no_number_is_a_failure(module, clips):
    class Overflowing(Watched):
        def predict_step(self, pixels, texts, *, exact=False):
            return super().predict_step(pixels, texts) * np.float32("nan")

    (failure,) = run(Overflowing(module().parameters), clips[:1])
    assert (failure.stage, failure.error) == ("select", "SelectionError")
    assert 'dtype="float32"' in failure.message


def test_what_is_no_video_s_fault_ends_the_run(module, clips):
    with pytest.raises(ModelNotFoundError, match="set model_path"):
        run(module(clip_model_name="none"), clips)

    class OutOfMemory(Watched):
        def predict_step(self, pixels, texts, *, exact=False):
            raise RuntimeError("CUDA out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        run(OutOfMemory(module().parameters), clips)


def test_closing_early_ends_all_threads(module, clips):
    before = threading.active_count()
    requests = (Request(str(clips[0]), "spoon") for _ in range(1000))
    with closing(Pipeline(module(), device=CPU, workers=4).run(requests)) as outcomes:
        next(outcomes)
    assert threading.active_count() == before


def test_reads_only_a_few_requests_ahead(module, clips):
    asked = []

    def requests():
        for number in range(100):
            asked.append(number)
            yield Request(str(clips[2]), "spoon")

    with closing(Pipeline(module(), device=CPU, workers=3).run(requests())) as outcomes:
        for done in range(1, 6):
            next(outcomes)
            assert len(asked) <= done + 3 + 3 * 8, "workers, and what may be done ahead"


@pytest.mark.parametrize("return_keyframes", [True, False])
def test_holds_no_more_than_can_be_selected(module, clips, monkeypatch, return_keyframes):
    """Of 90 candidates, 2 of which are selected, AKS needs at most 2 * 2 at a time."""
    most = 0
    hold = FrameCache.hold

    def watch(self, *candidate):
        nonlocal most
        hold(self, *candidate)
        assert not (self.pixels if return_keyframes else self._frames), "nobody wants images"
        most = max(most, len(self._frames) + len(self.pixels))

    monkeypatch.setattr(FrameCache, "hold", watch)
    parameters = {"fps": 25.0, "max_num_frames": 2, "return_keyframes": return_keyframes}
    run(module(**parameters, batch_size=4), clips[:1])
    assert 2 <= most <= 4 + 2 * 4 + 4 + 1, "survivors, queue, batch, and the frame at hand"


def test_stores_images_under_keys_that_do_not_change(module, clips, tmp_path):
    writer = ImageWriter(str(tmp_path / "out"), ".jpg")
    (first,) = run(module(), clips[:1], writer=writer)
    contents = {path: open(path, "rb").read() for path in first.tos_paths}  # noqa: PTH123, SIM115
    (second,) = run(module(return_keyframes=False), clips[:1], writer=writer, held_bytes=0)
    assert second.tos_paths == first.tos_paths
    assert contents == {path: open(path, "rb").read() for path in second.tos_paths}  # noqa: PTH123, SIM115
    names = [path.rsplit("/", 1)[1] for path in first.tos_paths]
    assert names == [f"{number:08}.jpg" for number in first.frame_ids]
    assert sorted(p.name for p in (tmp_path / "out").rglob("*.*")) == names


def test_an_image_that_cannot_be_stored_is_a_failure(module, clips, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    writer = ImageWriter(f"{tmp_path}/file/below", ".jpg")
    with pytest.raises(ParameterError, match="file"):
        run(module(), clips[:1], writer=writer)
    monkeypatch.setattr(ImageWriter, "check", lambda self: None)  # what comes in between
    (failure,) = run(module(), clips[:1], writer=writer)
    assert (failure.stage, failure.error) == ("upload", "StorageWriteError")


def test_videos_that_are_done_do_not_hold_back_the_next(module, clips):
    """A slow video at the head keeps one worker busy, not all of them."""
    gate, begun = threading.Event(), []

    class Slow(Watched):
        def open_source(self, value):
            begun.append(value)
            if value == "slow":
                assert gate.wait(60)
                value = str(clips[0])
            if len(begun) == 9:
                gate.set()
            return super().open_source(value)

    outcomes = run(Slow(module().parameters), ["slow", *[clips[2]] * 8], workers=2)
    assert [len(outcome.candidates.scores) for outcome in outcomes] == [18] + [6] * 8


def test_the_bytes_of_a_video_that_is_done_do_not_wait_for_a_slower_one(module, clips):
    class Video(bytearray):
        """Bytes that a weak reference can watch."""

    gate, alive, most = threading.Event(), [], []

    class Slow(Watched):
        def open_source(self, value):
            if len(value) == len(slow):
                assert gate.wait(60)
            return super().open_source(value)

    def requests():
        yield Request(Video(slow), "spoon")
        for _ in range(8):
            video = Video(short)
            alive.append(weakref.ref(video))
            most.append(sum(ref() is not None for ref in alive))
            yield Request(video, "spoon")
            del video
        gate.set()

    slow, short = clips[0].read_bytes(), clips[2].read_bytes()
    binary = Slow(module(video_src_type="video_binary").parameters)
    outcomes = list(Pipeline(binary, device=CPU, workers=2).run(requests()))
    assert [len(outcome.candidates.scores) for outcome in outcomes] == [18] + [6] * 8
    assert max(most) <= 3


def test_closing_does_not_wait_for_a_second_look(module, clips, monkeypatch):
    """A task that asks for exact scores just as the pipeline closes must not wait for ever."""
    at_confirm, cancelled = threading.Event(), threading.Event()
    confirm, cancel = VideoTask._confirm, VideoTask.cancel

    def late(self, video):
        at_confirm.set()
        assert cancelled.wait(30)
        confirm(self, video)

    def watched(self):
        cancel(self)
        cancelled.set()
        time.sleep(0.5)  # time for the task to go on before all is closed

    class Breaking(Watched):
        def open_source(self, value):
            assert value != str(clips[0]) or at_confirm.wait(30)
            return super().open_source(value)

        def predict_step(self, pixels, texts, *, exact=False):
            if at_confirm.is_set():
                raise InterruptedError
            return super().predict_step(pixels, texts)

        def contested(self, scores):
            return [0]

    monkeypatch.setattr(VideoTask, "_confirm", late)
    monkeypatch.setattr(VideoTask, "cancel", watched)
    ended = []

    def consume():
        with pytest.raises(InterruptedError):
            run(Breaking(module(batch_size=1).parameters), [clips[2], clips[0]], workers=2)
        ended.append(True)

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    consumer.join(30)
    assert ended


def test_a_failed_row_keeps_nothing_in_memory(module):
    """Without Python's cyclic collector, which may come late."""

    class Video(bytearray):
        """Bytes that a weak reference can watch."""

    alive = []

    def requests():
        for number in range(20):
            video = Video(b"no video" * 1000 + bytes([number]))
            alive.append(weakref.ref(video))
            yield Request(video, "spoon")
            del video

    binary = module(video_src_type="video_binary")
    most = 0
    gc.disable()
    try:
        for outcome in Pipeline(binary, device=CPU, workers=1).run(requests()):
            assert isinstance(outcome, Failure)
            most = max(most, sum(ref() is not None for ref in alive))
    finally:
        gc.enable()
    assert most <= 3


def test_images_that_no_row_can_hold_fail_before_they_are_made(module, clips):
    (failure,) = run(module(), clips[:1], row_bytes=3 * 96 * 160 * 3)
    assert (failure.stage, failure.error) == ("encode", "RowTooLargeError")
    assert "4 images of 160×96 pixels" in failure.message
    assert "return_keyframes=False" in failure.message
    (fits,) = run(module(), clips[:1], row_bytes=4 * 96 * 160 * 3)
    assert len(fits.images) == 4


def test_one_video_alone_is_decoded_by_all_threads(module, monkeypatch, tmp_path):
    path = tmp_path / "many_gops.mp4"
    path.write_bytes(clip("libx264", "mp4", frames=60, gop=5))
    together = threading.Barrier(3, timeout=20)
    decode_run = run_pool.decode_run
    met = []

    def decode_when_three_are_there(*args):
        if not met:
            together.wait()
            met.append(args)
        return decode_run(*args)

    monkeypatch.setattr(run_pool, "decode_run", decode_when_three_are_there)
    threaded = module(fps=25.0, decoder="thread")
    [outcome] = run(threaded, [path], threads=3, workers=4)
    assert isinstance(outcome, Keyframes), outcome
    assert len(outcome.candidates.frame_ids) == 60


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_one_cpu_decodes_during_a_batch_only_if_that_is_on_a_gpu(module, clips, device):
    class Counting(type(module())):
        preprocessed = 0
        grown = None

        def setup(self, device):
            super().setup(CPU)

        def preprocess(self, rgb):
            self.preprocessed += 1
            return super().preprocess(rgb)

        def predict_step(self, pixels, texts, *, exact=False):
            if self.grown is None:
                before, end = self.preprocessed, time.monotonic() + 1
                while self.preprocessed < before + 4 and time.monotonic() < end:
                    time.sleep(0.01)
                self.grown = self.preprocessed - before
            return super().predict_step(pixels, texts, exact=exact)

    watched = Counting(module(fps=25.0, batch_size=4).parameters)
    requests = [Request(str(clips[0]), "spoon")]
    pipeline = Pipeline(watched, device=torch.device(device), threads=1, workers=1)
    assert len(list(pipeline.run(requests))) == 1
    # The first waits with a frame or two that it had begun.
    assert watched.grown <= 2 if device == "cpu" else watched.grown >= 4


def test_a_failure_may_end_the_run_at_once(module, clips):
    """Though a slower video before it is not done."""
    gate = threading.Event()

    class Slow(Watched):
        def open_source(self, value):
            assert value != str(clips[0]) or gate.wait(30)
            return super().open_source(value)

    slow = Slow(module().parameters)
    requests = [Request(str(path), "spoon") for path in (clips[0], clips[0].with_name("none.mp4"))]
    threading.Timer(1.0, gate.set).start()  # closing waits for the slow one to take notice
    with pytest.raises(VideoFailedError) as caught:
        list(Pipeline(slow, device=CPU, workers=2).run(requests, stop_on_failure=True))
    assert caught.value.number == 1
    assert caught.value.failure.error == "SourceNotFoundError"
