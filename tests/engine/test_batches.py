"""Batches: how large they are, two at a time on a GPU, and what fails. A stand-in is the GPU."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from spark_keyframes import EmbeddingModule, KeyframesModule, prediction
from spark_keyframes.engine import Pipeline, Request
from spark_keyframes.engine.scorer import BatchScorer
from spark_keyframes.errors import AcceleratorError, ModuleError
from spark_keyframes.gpu_faults import GpuMemoryError, gpu_faults
from spark_keyframes.prediction import Predictor
from spark_keyframes.result import Failure
from tests.engine.own_modules import CPU, FrameNumber, run, sampler
from tests.video.clips import clip, number_in


class Angles(EmbeddingModule):
    """Embeds a frame by the number drawn on it, and any text as the largest one."""

    def preprocess(self, rgb):
        return number_in(rgb)

    def embed_images(self, inputs):
        angles = torch.tensor(inputs, dtype=torch.float32) / 256
        return torch.stack([angles, 1 - angles], dim=1)

    def embed_texts(self, texts):
        return torch.tensor([[1.0, 0.0]] * len(texts))


@pytest.fixture
def late(monkeypatch):
    """Let each batch be ready only when somebody waits for it, as on a GPU; return a log."""

    class Late(prediction.Download):
        """A copy that is not there before it is asked for."""

        is_ready = False
        begun, most = 0, 0

        def __init__(self, tensor):
            super().__init__(tensor)
            Late.begun += 1
            Late.most = max(Late.most, Late.begun)

        def result(self):
            Late.begun -= 1
            return super().result()

    monkeypatch.setattr(prediction, "Download", Late)
    return Late


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    paths = [folder / f"{number}.mp4" for number in range(4)]
    for number, path in enumerate(paths):
        path.write_bytes(clip("libx264", "mp4", frames=40 + 20 * number))
    return paths


def asked(videos, text="red"):
    return [(video, text) for video in videos]


@pytest.mark.parametrize("text", ["red", ["red", "green", None, "red"]])
@pytest.mark.parametrize("selector", ["top", "gift"])
def test_scores_are_the_same_with_two_batches_at_a_time(late, videos, text, selector, monkeypatch):
    of = sampler(Angles(), fps=25, batch_size=4, selector=selector)
    late_ones = run(of, asked(videos, text), embeddings=True)
    assert late.begun == 0
    assert late.most > 2, "each batch has its scores and its embeddings"
    monkeypatch.undo()
    assert late_ones == run(of, asked(videos, text), embeddings=True)


def test_no_score_is_held_back_while_somebody_else_is_at_work(late, videos, monkeypatch):
    """The next video may be given only after the keyframes of this one, and those taken late."""
    events = []
    step, settle = BatchScorer.step, BatchScorer.settle
    monkeypatch.setattr(BatchScorer, "step", lambda self: (step(self), events.append("step")))
    monkeypatch.setattr(BatchScorer, "settle", lambda self: (settle(self), events.append("all")))

    def requests():
        for video in videos:
            assert events[-1] == "all"
            yield Request(str(video), "red")

    of = sampler(Angles(), fps=25, batch_size=4)
    pipeline = Pipeline(of.make_module(), of, workers=2)
    for _ in pipeline.run(requests(), device=CPU):
        assert events[-1] == "all"
        assert late.begun == 0
    assert events.count("step") > 10


class Video:
    """What the scorer needs of a video."""

    complete = False

    def __init__(self):
        self.texts, self.found, self.error = ["red"], [], None
        self.account = SimpleNamespace(seconds={"clip": 0.0})

    def add(self, scores):
        self.found.append(scores[0][0])

    def fail(self, error):
        self.error = error


class Refuses(FrameNumber):
    """Takes any number but 99."""

    def predict_step(self, inputs, texts):
        if 99 in inputs:
            raise ValueError("99")
        return inputs


def test_a_batch_that_fails_at_once_comes_behind_the_one_that_is_computed(monkeypatch):
    monkeypatch.setattr(prediction._Asked, "is_ready", False)
    scorer = BatchScorer(Refuses(), 4)
    one, two = Video(), Video()
    for video, number in [*((one, n) for n in range(5)), (two, 99), (one, 5), (one, 6)]:
        scorer.submit(video, number)
    while not scorer._queue.empty():
        scorer.step()
    scorer.settle()
    assert one.found == [0, 1, 2, 3, 4, 5, 6]
    assert two.found == []
    assert "99" in str(two.error)


class Late(Angles):
    """Gives no number for one frame."""

    def embed_images(self, inputs):
        rows = super().embed_images(inputs)
        rows[[number == 55 for number in inputs]] = float("nan")
        return rows


def test_a_batch_that_fails_late_costs_its_own_video(videos, monkeypatch):
    """Frame 55 is in the last two videos only."""
    monkeypatch.setattr(prediction._Asked, "is_ready", False)
    outcomes = run(sampler(Late(), fps=25, batch_size=8), asked(videos))
    assert [isinstance(each, Failure) for each in outcomes] == [False, True, True, True]
    assert "nan for 1 of" in outcomes[3].message
    monkeypatch.undo()
    again = run(sampler(Late(), fps=25, batch_size=8), asked(videos))
    assert outcomes[0] == again[0]


class Sizes(FrameNumber):
    """Remembers the sizes of its batches."""

    seen: list[int] = []

    def predict_step(self, inputs, texts):
        self.seen.append(len(inputs))
        return inputs


@pytest.mark.parametrize(("preferred", "most"), [(None, 4), (3, 4), (16, 16)])
def test_batches_are_as_large_as_the_module_prefers(videos, preferred, most):
    Sizes.seen = []
    module = Sizes()
    module.preferred_batch = preferred
    scorer = BatchScorer(module, 4)
    video = Video()
    for number in range(scorer._queue.maxsize):
        scorer.submit(video, number)
    while not scorer._queue.empty():
        scorer.step()
    scorer.settle()
    assert video.found == list(map(float, range(len(video.found))))
    assert max(Sizes.seen) == most


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "many", True])
def test_a_preferred_batch_that_is_no_number_is_an_error(videos, wrong):
    module = FrameNumber()
    module.preferred_batch = wrong
    with pytest.raises(ModuleError, match="preferred_batch must be a number of at least 1"):
        run(sampler(module), asked(videos[:1]))


class Small(FrameNumber):
    """Computes at most so many frames at a time, as a GPU with little memory."""

    room = 3
    preferred_batch = 32

    def predict_step(self, inputs, texts):
        if len(inputs) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.\nGPU 0")
        return inputs


@pytest.mark.parametrize("room", [1, 3, 16, 31])
@pytest.mark.parametrize("kind", ["scores", "embeddings"])
def test_too_little_memory_halves_the_batch_until_it_fits(room, kind):
    module = Small() if kind == "scores" else SmallAngles()
    module.room = room
    predictor = Predictor(module, 4)
    prediction = predictor.begin(list(range(32)), [["red"]] * 32)
    free = type(module)()
    free.room = 32
    wanted = Predictor(free, 4).begin(list(range(32)), [["red"]] * 32).collect()
    assert prediction.collect() == wanted
    sizes = [32, 16, 8, 4, 2, 1]
    assert predictor.most == next(size for size in sizes if size <= room)


def test_a_frame_with_many_texts_may_be_computed_text_by_text():
    module = Small()
    module.room = 5
    predictor = Predictor(module, 4)
    texts = [["red", "green", "blue"] * 7] * 2
    scores = predictor.begin([3, 4], texts).collect()
    assert [list(of) for of, _ in scores] == [[3.0] * 21, [4.0] * 21]
    assert predictor.most == 4


@pytest.mark.parametrize("kind", ["scores", "embeddings"])
def test_batches_stay_as_small_as_what_fitted(kind):
    """Callers may go on to ask for as many frames as before."""
    module = Small() if kind == "scores" else SmallAngles()
    module.room = 4
    predictor = Predictor(module, 16)
    for _ in range(6):
        scores = predictor.begin(list(range(16)), [["red"]] * 16).collect()
        assert len(scores) == 16
        assert predictor.most == 4
    module.room = 0
    for _ in range(2):
        with pytest.raises(AcceleratorError, match="even for one frame"):
            predictor.begin(list(range(16)), [["red"]] * 16)
    module.room = 16
    assert len(predictor.begin(list(range(16)), [["red"]] * 16).collect()) == 16


@pytest.mark.parametrize("kind", [torch.zeros, np.zeros])
def test_a_module_may_return_the_same_memory_again(kind):
    class Reuses(FrameNumber):
        memory = kind(4)

        def predict_step(self, inputs, texts):
            for place, number in enumerate(inputs):
                self.memory[place] = number
            return self.memory[: len(inputs)]

    found = Predictor(Reuses(), 4).begin([0, 1, 2, 3], [["red", "green"]] * 4).collect()
    assert [list(of) for of, _ in found] == [[0, 0], [1, 1], [2, 2], [3, 3]]


def test_a_second_module_has_sizes_of_its_own():
    first, second = Small(), Small()
    first.room, second.room, second.preferred_batch = 8, 2, None
    predictor = Predictor(first, 4)
    predictor.begin([1, 2, 3], [["red"]] * 3, by=second).collect()
    assert predictor.most == 32
    predictor.begin(list(range(32)), [["red"]] * 32).collect()
    assert predictor.most == 8


@pytest.mark.parametrize(
    "texts", [[["red", "green"], []], [[], ["red", "green"]], [["red"], ["green"]], [[], []]]
)
def test_frames_have_the_scores_of_their_own_texts(texts):
    """A row may have no text, and as many pairs as frames do not mean one text for each."""
    module = Angles()
    module.embed_texts = lambda texts: torch.tensor([[len(text), 1.0] for text in texts])
    together = Predictor(module, 4).begin([10, 200], texts).collect()
    for frame, own, (found, _) in zip([10, 200], texts, together, strict=True):
        alone = [Predictor(module, 4).begin([frame], [[text]]).collect()[0][0][0] for text in own]
        assert found == pytest.approx(alone, abs=1e-7)


def test_too_little_memory_halves_the_batch(videos, caplog):
    with caplog.at_level(logging.WARNING, logger="spark_keyframes"):
        found = run(sampler(Small(), fps=25, batch_size=16), asked(videos))
    assert found == run(sampler(FrameNumber(), fps=25, batch_size=16), asked(videos))
    warnings = [
        record.message for record in caplog.records if "memory is too small" in record.message
    ]
    assert 1 <= len(warnings) <= 5
    assert "Tried to allocate 20.00 MiB" in warnings[-1]
    assert int(warnings[-1].rpartition("at most ")[2]) <= 3


class SmallAngles(Angles):
    """Embeds at most so many frames at a time."""

    room = 3
    preferred_batch = 32

    def embed_images(self, inputs):
        if len(inputs) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return super().embed_images(inputs)


def test_too_little_memory_for_the_model_is_a_fault_of_the_gpu(videos):
    class Large(FrameNumber):
        def setup(self, device):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    with pytest.raises(AcceleratorError, match="memory is too small: .*20.00 GiB"):
        run(sampler(Large(), fps=25), asked(videos[:1]))


def test_too_little_memory_for_one_frame_ends_the_task(videos):
    module = Small()
    module.room = 0
    with pytest.raises(AcceleratorError, match="memory is too small.* even for one frame"):
        run(sampler(module, fps=25), asked(videos))


class Lost(KeyframesModule):
    """Computes on a card that falls off after some frames."""

    def __init__(self, error):
        self.error = error

    def preprocess(self, rgb):
        return number_in(rgb)

    def predict_step(self, inputs, texts):
        if max(inputs) > 50:
            raise self.error
        return inputs


LOST = [RuntimeError("CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA_DSA")]
if hasattr(torch, "AcceleratorError"):
    LOST.append(torch.AcceleratorError("the card fell off\nfor some reason"))


class LostAngles(Angles):
    """Embeds on a card that falls off, at images or at texts."""

    def __init__(self, error, at):
        self.error, self.at = error, at

    def embed_images(self, inputs):
        if self.at == "images" and max(inputs) > 50:
            raise self.error
        return super().embed_images(inputs)

    def embed_texts(self, texts):
        if self.at == "texts":
            raise self.error
        return super().embed_texts(texts)


@pytest.mark.parametrize("at", ["images", "texts"])
def test_a_card_that_is_lost_while_it_embeds_ends_the_task_too(videos, at):
    with pytest.raises(AcceleratorError, match="does not compute any more"):
        run(sampler(LostAngles(LOST[0], at), fps=25, batch_size=4), asked(videos))


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("CUDA error: out of memory", GpuMemoryError),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate", GpuMemoryError),
        ("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling", AcceleratorError),
        ("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", AcceleratorError),
        ("CUDA error: CUBLAS_STATUS_INVALID_VALUE when calling", RuntimeError),
        ("shapes do not fit", RuntimeError),
    ],
)
def test_faults_of_a_card_are_told_from_those_of_the_code(said, error):
    with pytest.raises(error) as found, gpu_faults():
        raise RuntimeError(said)
    assert type(found.value) is error


@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
def test_a_card_that_is_lost_ends_the_task_and_not_its_rows_one_by_one(videos, error):
    with pytest.raises(AcceleratorError, match="does not compute any more: .*in a new process"):
        run(sampler(Lost(error), fps=25, batch_size=4), asked(videos))


def test_another_error_of_a_module_costs_its_rows(videos):
    outcomes = run(sampler(Lost(RuntimeError("no CUDA here")), fps=25), asked(videos))
    assert [isinstance(each, Failure) for each in outcomes] == [False, True, True, True]
    assert outcomes[1].error == "ModuleError"
