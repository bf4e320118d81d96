"""Many videos, one model: order, failures, bounds, and the same result whatever the machinery."""

import gc
import threading
import time
import weakref
from contextlib import closing
from dataclasses import fields

import numpy as np
import pytest
import torch

from spark_keyframes.engine import Callback, ImageWriter, Pipeline, Request
from spark_keyframes.engine.candidates import CandidateScores
from spark_keyframes.engine.frame_cache import FrameCache
from spark_keyframes.engine.pipeline import VideoFailedError
from spark_keyframes.engine.scorer import BatchScorer
from spark_keyframes.engine.task import VideoTask
from spark_keyframes.errors import ModelNotFoundError, ParameterError
from spark_keyframes.module import ClipModule, KeyframesModule
from spark_keyframes.parameters import Parameters
from spark_keyframes.result import Failure, Keyframes
from spark_keyframes.video import run_pool
from tests.video.clips import clip, number_in

CPU = torch.device("cpu")


class Watched(ClipModule):
    """A module that remembers the batches it scored."""

    key = None  # set up anew for each run

    def __init__(self, **parameters):
        super().__init__(**parameters)
        self.batches = []

    def predict_step(self, inputs, texts, *, exact=False):
        self.batches.append((len(inputs), sorted(set(texts)), exact))
        return super().predict_step(inputs, texts, exact=exact)


@pytest.fixture
def pipeline(models):
    """Makes a pipeline of the small CLIP, from parameters of the operator and of Pipeline."""

    def make(kind=Watched, **given):
        given = {"text": "spoon", "fps": 5.0, "max_num_frames": 4, "dtype": "float32"} | given
        given = {"model_path": str(models), "clip_model_name": "small"} | given
        names = {field.name for field in fields(Parameters)}
        parameters = Parameters(**{name: given.pop(name) for name in names & given.keys()})
        model = ("model_path", "clip_model_name", "dtype")
        module = kind(**{name: getattr(parameters, name) for name in model})
        return Pipeline(module, parameters, **given)

    return make


def run(pipeline, videos, text="spoon", **options):
    requests = [Request(video=None if v is None else str(v), text=text) for v in videos]
    return list(pipeline.run(requests, device=CPU, **options))


class Gate(Callback):
    """Calls a function with each video's name before it is opened."""

    def __init__(self, function):
        self.on_video_start = lambda source, text: function(source)


def same(left, right):
    assert left.frame_ids == right.frame_ids
    # A frame's score depends on its batch in the last bits only.
    assert left.scores == pytest.approx(right.scores, abs=1e-6)


def test_outcomes_come_in_the_order_of_the_requests(pipeline, clips):
    long, middle, short = clips
    outcomes = run(pipeline(workers=3), [long, short, middle, short, long])
    counts = [len(outcome.candidates.scores) for outcome in outcomes]
    assert counts == [18, 6, 10, 6, 18]
    same(outcomes[0], outcomes[4])
    same(outcomes[1], outcomes[3])


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
    watched = pipeline(batch_size=8, workers=4)
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


@pytest.fixture
def bfloat16(monkeypatch):
    """Lets float16 compute in bfloat16 on any CPU, by transformers: packed weights need AVX512."""
    monkeypatch.setattr("spark_keyframes.clip.precision._cpu_multiplies_bfloat16", lambda: True)
    monkeypatch.setattr("spark_keyframes.clip.packed_tower.can_pack", lambda model: False)


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


def test_closing_early_ends_all_threads(pipeline, clips):
    before = threading.active_count()
    requests = (Request(str(clips[0]), "spoon") for _ in range(1000))
    with closing(pipeline(workers=4).run(requests, device=CPU)) as outcomes:
        next(outcomes)
    assert threading.active_count() == before


def test_reads_only_a_few_requests_ahead(pipeline, clips):
    asked = []

    def requests():
        for number in range(100):
            asked.append(number)
            yield Request(str(clips[2]), "spoon")

    with closing(pipeline(workers=3).run(requests(), device=CPU)) as outcomes:
        for done in range(1, 6):
            next(outcomes)
            assert len(asked) <= done + 3 + 3 * 8, "workers, and what may be done ahead"


@pytest.mark.usefixtures("bfloat16")
@pytest.mark.parametrize("return_keyframes", [True, False])
def test_holds_no_more_than_can_be_selected(pipeline, clips, monkeypatch, return_keyframes):
    """Of 90 candidates, 2 of which are selected, AKS needs at most 2 * 2 at a time."""
    most = 0
    add = FrameCache.add

    def watch(self, *candidate):
        nonlocal most
        add(self, *candidate)
        assert not (self.inputs if return_keyframes else self.frames), "nobody wants images"
        most = max(most, len(self.frames) + len(self.inputs))

    monkeypatch.setattr(FrameCache, "add", watch)
    parameters = {"fps": 25.0, "max_num_frames": 2, "return_keyframes": return_keyframes}
    run(pipeline(**parameters, batch_size=4, dtype="float16"), clips[:1])
    # In bfloat16 scores may be off, so that up to twice as many could be selected.
    assert 2 <= most <= 2 * 4 + 2 * 4 + 4 + 1, "survivors, queue, batch, and the frame at hand"


def test_holds_nothing_where_neither_images_nor_a_second_look_are_needed(
    pipeline, clips, monkeypatch
):
    kept = []
    add = FrameCache.add

    def watch(self, *candidate):
        add(self, *candidate)
        kept.append(len(self.frames) + len(self.inputs))

    monkeypatch.setattr(FrameCache, "add", watch)
    run(pipeline(return_keyframes=False), clips[:1])
    assert kept == [0] * 18


def test_stores_images_under_keys_that_do_not_change(pipeline, clips, tmp_path):
    writer = ImageWriter(str(tmp_path / "out"), ".jpg")
    (first,) = run(pipeline(writer=writer), clips[:1])
    contents = {path: open(path, "rb").read() for path in first.tos_paths}  # noqa: PTH123, SIM115
    (second,) = run(pipeline(return_keyframes=False, writer=writer, held_bytes=0), clips[:1])
    assert second.tos_paths == first.tos_paths
    assert contents == {path: open(path, "rb").read() for path in second.tos_paths}  # noqa: PTH123, SIM115
    names = [path.rsplit("/", 1)[1] for path in first.tos_paths]
    assert names == [f"{number:08}.jpg" for number in first.frame_ids]
    assert sorted(p.name for p in (tmp_path / "out").rglob("*.*")) == names


def test_an_image_that_cannot_be_stored_is_a_failure(pipeline, clips, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    writer = ImageWriter(f"{tmp_path}/file/below", ".jpg")
    with pytest.raises(ParameterError, match="file"):
        run(pipeline(writer=writer), clips[:1])
    monkeypatch.setattr(ImageWriter, "check", lambda self: None)  # what comes in between
    (failure,) = run(pipeline(writer=writer), clips[:1])
    assert (failure.stage, failure.error) == ("upload", "StorageWriteError")


def test_videos_that_are_done_do_not_hold_back_the_next(pipeline, clips):
    """A slow video at the head keeps one worker busy, not all of them."""
    gate, begun = threading.Event(), []

    def wait_for_the_others(source):
        begun.append(source)
        if source == str(clips[0]):
            assert gate.wait(60)
        if len(begun) == 9:
            gate.set()

    slow = pipeline(workers=2, callbacks=[Gate(wait_for_the_others)])
    outcomes = run(slow, [clips[0], *[clips[2]] * 8])
    assert [len(outcome.candidates.scores) for outcome in outcomes] == [18] + [6] * 8


def test_the_bytes_of_a_video_that_is_done_do_not_wait_for_a_slower_one(pipeline, clips):
    class Video(bytearray):
        """Bytes that a weak reference can watch."""

    gate, begun, alive, most = threading.Event(), [], [], []

    def hold_the_first(source):
        begun.append(source)
        assert len(begun) > 1 or gate.wait(60)

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
    binary = pipeline(video_src_type="video_binary", workers=2, callbacks=[Gate(hold_the_first)])
    outcomes = list(binary.run(requests(), device=CPU))
    assert [len(outcome.candidates.scores) for outcome in outcomes] == [18] + [6] * 8
    assert max(most) <= 3


def test_closing_does_not_wait_for_a_second_look(pipeline, clips, monkeypatch):
    """A task that asks for exact scores just as the pipeline closes must not wait for ever."""
    at_contested, cancelled = threading.Event(), threading.Event()
    cancel = VideoTask.cancel

    def contested(self, tolerance):
        at_contested.set()
        assert cancelled.wait(30)
        return [0]

    def watched(self):
        cancel(self)
        cancelled.set()
        time.sleep(0.5)  # time for the task to go on before all is closed

    monkeypatch.setattr(CandidateScores, "contested", contested)
    monkeypatch.setattr(VideoTask, "cancel", watched)
    outcomes = pipeline(workers=1).run([Request(str(clips[0]), "spoon")], device=CPU)

    def consume():
        with pytest.raises(InterruptedError), closing(outcomes):
            next(outcomes)

    def interrupt(self):
        if at_contested.is_set():
            raise InterruptedError
        step(self)

    step = BatchScorer.step
    monkeypatch.setattr(BatchScorer, "step", interrupt)
    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    consumer.join(30)
    assert at_contested.is_set()
    assert not consumer.is_alive()


def test_a_failed_row_keeps_nothing_in_memory(pipeline):
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

    binary = pipeline(video_src_type="video_binary", workers=1)
    most = 0
    gc.disable()
    try:
        for outcome in binary.run(requests(), device=CPU):
            assert isinstance(outcome, Failure)
            most = max(most, sum(ref() is not None for ref in alive))
    finally:
        gc.enable()
    assert most <= 3


def test_images_that_no_row_can_hold_fail_before_they_are_made(pipeline, clips):
    (failure,) = run(pipeline(row_bytes=3 * 96 * 160 * 3), clips[:1])
    assert (failure.stage, failure.error) == ("encode", "RowTooLargeError")
    assert "4 images of 160×96 pixels" in failure.message
    assert "return_keyframes=False" in failure.message
    (fits,) = run(pipeline(row_bytes=4 * 96 * 160 * 3), clips[:1])
    assert len(fits.images) == 4


def test_one_video_alone_is_decoded_by_all_threads(pipeline, monkeypatch, tmp_path):
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
    threaded = pipeline(fps=25.0, decoder="thread", threads=3, workers=4)
    [outcome] = run(threaded, [path])
    assert isinstance(outcome, Keyframes), outcome
    assert len(outcome.candidates.frame_ids) == 60


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_one_cpu_decodes_during_a_batch_only_if_that_is_on_a_gpu(pipeline, clips, device):
    preprocessed, grown = [], []

    class Counting(Watched):
        def setup(self, device):
            super().setup(CPU)

        def preprocess(self, rgb):
            preprocessed.append(1)
            return super().preprocess(rgb)

        def predict_step(self, inputs, texts, *, exact=False):
            before, end = len(preprocessed), time.monotonic() + 1
            while not grown and len(preprocessed) < before + 4 and time.monotonic() < end:
                time.sleep(0.01)
            grown.append(len(preprocessed) - before)
            return super().predict_step(inputs, texts, exact=exact)

    watched = pipeline(Counting, fps=25.0, batch_size=4, threads=1, workers=1)
    requests = [Request(str(clips[0]), "spoon")]
    assert len(list(watched.run(requests, device=torch.device(device)))) == 1
    # The first waits with a frame or two that it had begun.
    assert grown[0] <= 2 if device == "cpu" else grown[0] >= 4


def test_a_failure_may_end_the_run_at_once(pipeline, clips):
    """Though a slower video before it is not done."""
    gate = threading.Event()

    def wait(source):
        assert source != str(clips[0]) or gate.wait(30)

    slow = pipeline(workers=2, callbacks=[Gate(wait)])
    threading.Timer(1.0, gate.set).start()  # closing waits for the slow one to take notice
    with pytest.raises(VideoFailedError) as caught:
        run(slow, [clips[0], clips[0].with_name("none.mp4")], stop_on_failure=True)
    assert caught.value.number == 1
    assert caught.value.failure.error == "SourceNotFoundError"
