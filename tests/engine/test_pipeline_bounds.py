"""What a pipeline keeps in memory, what runs at the same time, and how it ends."""

import gc
import threading
import time
import weakref
from contextlib import closing

import pytest
import torch

from spark_keyframes.engine import Request
from spark_keyframes.engine.candidates import CandidateScores
from spark_keyframes.engine.fetching import Fetcher
from spark_keyframes.engine.scorer import BatchScorer
from spark_keyframes.engine.task import VideoTask
from spark_keyframes.result import Failure, Keyframes, VideoFailedError
from spark_keyframes.video import run_pool, turns
from spark_keyframes.video.frame_cache import FrameCache
from tests.engine.pipelines import CPU, Gate, Watched, run
from tests.video.clips import clip


def test_closing_early_ends_all_threads(pipeline, clips):
    before = set(threading.enumerate())  # one of an earlier test may end meanwhile
    requests = (Request(str(clips[0]), "spoon") for _ in range(1000))
    with closing(pipeline(workers=4).run(requests, device=CPU)) as outcomes:
        next(outcomes)
    end = time.monotonic() + 5  # a thread that is told to end may need a moment
    while new := set(threading.enumerate()) - before:
        assert time.monotonic() < end, new
        time.sleep(0.01)


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


def test_on_one_cpu_a_video_is_scored_before_the_next_one_is_decoded(
    pipeline, clips, tmp_path, monkeypatch
):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    began, ended = [], []
    submit, score = VideoTask._submit_candidates, VideoTask._score_contested
    monkeypatch.setattr(
        VideoTask, "_submit_candidates", lambda *of: (began.append(time.monotonic()), submit(*of))
    )
    monkeypatch.setattr(
        VideoTask, "_score_contested", lambda *of: (score(*of), ended.append(time.monotonic()))
    )
    monkeypatch.setattr(turns, "_MAX_WAIT_SECONDS", 60)
    outcomes = run(pipeline(threads=1, workers=3), [*clips, broken, *clips, broken, *clips])
    assert [isinstance(each, Failure) for each in outcomes].count(True) == 2
    assert len(began) == len(ended) == 9
    assert all(end <= start for end, start in zip(ended[:-1], began[1:], strict=True))
    assert ended[-1] - began[0] < 60, "broken videos have given their turns back"


@pytest.mark.parametrize("from_index", [False, True])
def test_images_are_made_after_the_turn(pipeline, clips, monkeypatch, from_index):
    """Storing them may wait for a network."""
    taken, held = [], []
    take, images = turns.Turns.take, Fetcher.images
    monkeypatch.setattr(
        turns.Turns, "take", lambda self, source: (taken.append(self._lock), take(self, source))[1]
    )
    monkeypatch.setattr(
        Fetcher, "images", lambda *of: (held.append(taken[-1].locked()), images(*of))[1]
    )
    (answer,) = pipeline(embeddings=True).run([Request(str(clips[0]), [])], device=CPU)
    held.clear()
    indexed = answer.candidates if from_index else None
    asking = pipeline(asks_index=from_index, return_keyframes=True, threads=1, workers=1)
    (asked,) = asking.run([Request(str(clips[0]), "spoon", indexed=indexed)], device=CPU)
    assert len(asked.images) > 0
    assert held == [False]


@pytest.mark.slow
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
