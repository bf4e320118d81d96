"""Modules of one's own: what they are given, what must come back, and how often they are set up."""

import gc
import threading

import numpy as np
import pytest
import torch

from spark_keyframes import (
    EmbeddingModule,
    Keyframes,
    KeyframesModule,
    Selector,
    VideoAdaptiveKeyframesSampling,
)
from spark_keyframes.engine import Pipeline, Request, modules
from spark_keyframes.engine.modules import ready_module
from spark_keyframes.errors import ModelNotFoundError, ModuleError
from tests.video.clips import number_in

CPU = torch.device("cpu")


class FrameNumber(KeyframesModule):
    """Scores each frame by the number that is drawn on it."""

    def preprocess(self, rgb):
        return number_in(rgb)

    def predict_step(self, inputs, texts):
        return inputs


def sampler(module, **parameters):
    given = {"fps": 5, "max_num_frames": 4, "selector": "top", "return_keyframes": False}
    return VideoAdaptiveKeyframesSampling(module=module, **(given | parameters))


def run(of, videos, **options):
    pipeline = Pipeline(of.make_module(), of, **options)
    requests = [Request(str(video), text) for video, text in videos]
    return list(pipeline.run(requests, device=CPU))


def test_ten_lines_are_a_module(clips):
    keyframes = sampler(FrameNumber()).sample(clips[0])
    assert keyframes.frame_ids == [70, 75, 80, 85]
    assert keyframes.scores == [70, 75, 80, 85]


@pytest.mark.parametrize(
    "made", [list, np.array, torch.tensor, lambda s: torch.tensor(s, dtype=torch.bfloat16)]
)
def test_scores_may_be_a_list_an_array_or_a_tensor(clips, made):
    class Made(FrameNumber):
        def predict_step(self, inputs, texts):
            return made([float(number) for number in inputs])

    assert sampler(Made()).sample(clips[0]).frame_ids == [70, 75, 80, 85]


def test_a_module_gets_the_frame_of_which_nothing_is_overwritten(clips):
    """By default the inputs are the frames themselves, whose memory the decoder uses again."""

    class Late(KeyframesModule):
        def predict_step(self, inputs, texts):
            return [number_in(rgb) for rgb in inputs]

    frames = sampler(Late(), batch_size=64).sample(clips[0])
    assert frames.candidates.scores == frames.candidates.frame_ids


def test_a_module_gets_each_frame_s_own_text(clips):
    class Length(KeyframesModule):
        def predict_step(self, inputs, texts):
            return [len(text) for text in texts]

    first, second = run(sampler(Length()), [(clips[2], "one"), (clips[2], "three")], workers=2)
    assert (first.scores, second.scores) == ([3] * 4, [5] * 4)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda inputs: [1.0] * 3, "predict_step of Wrong gave 3 scores for 6 frames"),
        (lambda inputs: np.ones((6, 2)), r"gave shape \(6, 2\) for 6 frames"),
        (lambda inputs: 0.5, r"gave shape \(\) for 6 frames"),
        (lambda inputs: [0.5] * 5 + [float("nan")], "gave nan for 1 of 6 frames"),
        (lambda inputs: [np.inf] * 6, "gave inf for 6 of 6 frames"),
        (lambda inputs: None, "predict_step of Wrong"),
        (lambda inputs: ["a"] * 6, "predict_step of Wrong failed: ValueError"),
        (lambda inputs: 1 / 0, "predict_step of Wrong failed: ZeroDivisionError"),
    ],
)
def test_a_wrong_result_is_the_row_s_failure_and_names_the_class(clips, result, message):
    class Wrong(KeyframesModule):
        def predict_step(self, inputs, texts):
            return result(inputs)

    with pytest.raises(ModuleError, match=message) as caught:
        sampler(Wrong()).sample(clips[2])
    assert caught.value.stage == "clip"
    assert str(clips[2]) in str(caught.value)


def test_a_text_that_breaks_the_module_fails_its_own_row_only(clips):
    class Picky(FrameNumber):
        def predict_step(self, inputs, texts):
            if "bad" in texts:
                raise KeyError("bad")
            return inputs

    texts = ["good", "bad", "good", "bad"]
    of = sampler(Picky(), batch_size=64)
    outcomes = run(of, [(clips[2], text) for text in texts], workers=4)
    assert [isinstance(outcome, Keyframes) for outcome in outcomes] == [True, False, True, False]
    assert outcomes[1].error == "ModuleError"
    assert "predict_step of Picky failed: KeyError" in outcomes[1].message


def test_a_preprocess_that_fails_is_the_row_s_failure_and_logs_where(clips, caplog):
    class Broken(FrameNumber):
        def preprocess(self, rgb):
            raise ZeroDivisionError("https://u:pw@host/x?X-Tos-Signature=abc")

    (failure,) = run(sampler(Broken()), [(clips[2], "")])
    assert (failure.stage, failure.error) == ("preprocess", "ModuleError")
    assert "preprocess of Broken failed: ZeroDivisionError" in failure.message
    assert "Traceback" in caplog.text
    assert "abc" not in failure.message + caplog.text


def test_a_setup_that_fails_ends_the_run(clips):
    class Missing(FrameNumber):
        def setup(self, device):
            raise FileNotFoundError("weights.pt")

    with pytest.raises(ModuleError, match="setup of Missing failed: FileNotFoundError: weights.pt"):
        run(sampler(Missing()), [(clips[2], "")])

    class Own(FrameNumber):
        def setup(self, device):
            raise ModelNotFoundError("put weights.pt beside the script")

    with pytest.raises(ModelNotFoundError, match="^put weights.pt"):
        run(sampler(Own()), [(clips[2], "")])


class Counted(FrameNumber):
    """Notes its setups and teardowns."""

    calls = []

    def setup(self, device):
        self.ready = True
        self.calls.append("setup")

    def predict_step(self, inputs, texts):
        assert self.ready
        return inputs

    def teardown(self):
        self.calls.append("teardown")


def test_a_module_without_a_key_is_set_up_for_each_run_and_stays_as_it_was(clips):
    Counted.calls.clear()
    module = Counted()
    for _ in range(2):
        sampler(module).sample(clips[2])
    assert Counted.calls == ["setup", "teardown"] * 2
    assert not hasattr(module, "ready"), "the module that the user made is pickled later"


def test_a_module_with_a_key_is_set_up_once_for_each_key_and_device(clips, monkeypatch):
    monkeypatch.setattr(modules, "_ready", {})

    class Keyed(Counted):
        def __init__(self, key):
            self.key = key

    Counted.calls.clear()
    for key in ("a", "a", "b", "a"):
        sampler(Keyed(key)).sample(clips[2])
    assert Counted.calls == ["setup", "setup"]
    with ready_module(Keyed("a"), torch.device("cuda", 0)), ready_module(Keyed("a"), CPU):
        assert Counted.calls == ["setup"] * 3
    modules._tear_down_all()
    assert Counted.calls == ["setup"] * 3 + ["teardown"] * 3


def test_a_class_that_was_defined_again_is_set_up_again(monkeypatch):
    monkeypatch.setattr(modules, "_ready", {})

    def define():
        class Keyed(Counted):
            key = "same"

        return Keyed()

    Counted.calls.clear()
    first, second = define(), define()
    with ready_module(first, CPU), ready_module(second, CPU) as ready:
        assert type(ready) is type(second)
    assert Counted.calls == ["setup", "teardown", "setup"]


def test_a_key_that_is_not_hashable_is_said(clips):
    class Keyed(Counted):
        key = ["a", "list"]

    with pytest.raises(ModuleError, match=r"key of Keyed must be hashable, got \['a', 'list'\]"):
        sampler(Keyed()).sample(clips[2])


def test_preprocess_runs_in_several_threads_and_predict_step_in_one(clips):
    seen = {"preprocess": set(), "predict_step": set()}

    class Watching(FrameNumber):
        def preprocess(self, rgb):
            seen["preprocess"].add(threading.get_ident())
            return number_in(rgb)

        def predict_step(self, inputs, texts):
            seen["predict_step"].add(threading.get_ident())
            return inputs

    run(sampler(Watching()), [(clips[0], "")] * 6, workers=3)
    assert len(seen["preprocess"]) > 1
    assert seen["predict_step"] == {threading.get_ident()}


class Colours(EmbeddingModule):
    """Embeds a frame as its mean colour, and a text as a colour."""

    def __init__(self):
        self.embedded = []

    def embed_images(self, inputs):
        return np.stack([rgb.mean(axis=(0, 1)) for rgb in inputs])

    def embed_texts(self, texts):
        self.embedded += texts
        return [torch.tensor([1.0, 0.0, 0.0]) * (1 + len(text)) for text in texts]


def test_the_score_of_embeddings_is_their_cosine(clips):
    module = Colours()
    keyframes = sampler(module, return_keyframes=True).sample(clips[0], text="red")
    for rgb, score in zip(keyframes.images, keyframes.scores, strict=True):
        mean = rgb.mean(axis=(0, 1))
        assert score == pytest.approx(mean[0] / np.linalg.norm(mean), abs=1e-6)


def test_each_text_is_embedded_once_in_a_run(clips):
    module = Colours()
    of = sampler(module, batch_size=4)
    run(of, [(clips[0], "red"), (clips[0], "green"), (clips[1], "red")], workers=2)
    assert sorted(module.embedded) == ["green", "red"]


def test_embeddings_of_the_wrong_shape_name_hook_and_class(clips):
    class Flat(Colours):
        def embed_images(self, inputs):
            return np.ones(3)

    with pytest.raises(ModuleError, match=r"embed_images of Flat gave shape \(3,\) for 6 images"):
        sampler(Flat()).sample(clips[2])


def test_embeddings_of_different_lengths_name_hook_and_class(clips):
    class Long(Colours):
        def embed_texts(self, texts):
            return np.ones((len(texts), 4))

    with pytest.raises(ModuleError, match="embed_images of Long gave 3 numbers, and embed_texts 4"):
        sampler(Long()).sample(clips[2])


class FarApart(Selector):
    """The candidates whose embeddings differ most from the first, and the times they have."""

    needs_embeddings = needs_timestamps = True

    def select(self, scores, k, *, embeddings, timestamps):
        assert embeddings.shape == (len(scores), 3)
        assert timestamps.tolist() == pytest.approx([n / 5 for n in range(len(scores))])
        return np.argsort(np.linalg.norm(embeddings - embeddings[0], axis=1))[-k:]


def test_a_selector_gets_embeddings_and_timestamps(clips):
    keyframes = sampler(Colours(), selector=FarApart()).sample(clips[0])
    assert len(keyframes.frame_ids) == 4
    assert 0 not in keyframes.frame_ids


def test_the_default_module_gives_embeddings_of_the_scores(plain, clips, models):
    seen = {}

    class Watching(Selector):
        needs_embeddings = True

        def select(self, scores, k, *, embeddings):
            seen.update(scores=scores, embeddings=embeddings)
            return range(k)

    of = VideoAdaptiveKeyframesSampling(
        text="spoon",
        model_path=str(models),
        clip_model_name="small",
        dtype="float32",
        fps=5,
        max_num_frames=4,
        selector=Watching(),
        return_keyframes=False,
    )
    watched, expected = of.sample(clips[0]), plain.sample(clips[0])
    assert np.linalg.norm(seen["embeddings"], axis=1) == pytest.approx(1, abs=1e-5)
    assert watched.candidates.scores == pytest.approx(expected.candidates.scores, abs=1e-6)


def test_a_tolerance_leads_to_a_second_exact_look(clips):
    exact_looks = []

    class Rough(KeyframesModule):
        tolerance = 0.6

        def preprocess(self, rgb):
            return np.array([number_in(rgb)])

        def predict_step(self, inputs, texts, *, exact=False):
            numbers = [float(value[0]) for value in inputs]
            if exact:
                exact_looks.append(numbers)
                return numbers
            return [number - number % 10 for number in numbers]  # 80 and 85 look the same

    keyframes = sampler(Rough(), max_num_frames=1).sample(clips[0])
    assert keyframes.frame_ids == [85]
    assert keyframes.account.scored_again == 2
    assert exact_looks == [[80.0, 85.0]]


def test_a_selector_of_one_s_own_may_choose_any_frame_and_gets_all_images(clips):
    """No frame is dropped early: what will be chosen is not known before the last score."""

    class Worst(Selector):
        def select(self, scores, k):
            return np.argsort(scores)[:k]

    of = sampler(FrameNumber(), selector=Worst(), return_keyframes=True)
    keyframes = of.sample(clips[0])
    assert keyframes.frame_ids == [0, 5, 10, 15]
    assert [number_in(image) for image in keyframes.images] == keyframes.frame_ids
    assert keyframes.account.decoded_again == 0
    (again,) = run(of, [(clips[0], "")], held_bytes=0)
    assert [number_in(image) for image in again.images] == keyframes.frame_ids
    assert again.account.decoded_again == 4


def test_a_selector_may_choose_nothing(clips):
    class Nothing(Selector):
        def select(self, scores, k):
            return []

    keyframes = sampler(FrameNumber(), selector=Nothing(), return_keyframes=True).sample(clips[0])
    assert (keyframes.frame_ids, keyframes.scores, keyframes.images) == ([], [], [])


def test_a_failed_row_keeps_neither_the_error_s_frames_nor_its_video(clips):
    class Broken(KeyframesModule):
        def predict_step(self, inputs, texts):
            raise ValueError(len(inputs))

    (failure,) = run(sampler(Broken()), [(clips[2], "")])
    gc.collect()
    held = [o for o in gc.get_objects() if isinstance(o, np.ndarray) and o.shape == (96, 160, 3)]
    assert failure.error == "ModuleError"
    assert not held
