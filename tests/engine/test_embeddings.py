"""Modules that embed, and selectors of one's own that use what they embed."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from spark_keyframes import (
    EmbeddingModule,
    Selector,
    VideoAdaptiveKeyframesSampling,
)
from spark_keyframes.errors import InvalidTextError, ModuleError, ParameterError
from tests.engine.own_modules import FrameNumber, run, sampler
from tests.video.clips import number_in


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


def test_the_texts_kept_are_bounded_in_bytes(monkeypatch):
    monkeypatch.setattr("spark_keyframes.module._TEXT_CACHE_BYTES", 10_000)
    module, inputs = Colours(), [np.ones((2, 2, 3))]
    module.predict_step(inputs, ["first"])
    module.predict_step(inputs, ["x" * 20_000])  # more than all
    module.predict_step(inputs, ["first"])
    assert len(module.embedded) == 2
    for number in range(100):
        module.predict_step(inputs, [f"{number}"])
        module.predict_step(inputs, ["often"])
    assert module.embedded.count("often") == 1
    module.predict_step(inputs, ["99"])
    assert module.embedded.count("99") == 1
    module.predict_step(inputs, ["0"])
    assert module.embedded.count("0") == 2
    kept = pickle.loads(pickle.dumps(module)).__dict__["_text_cache"]._rows
    assert 5 < len(kept) < 20


def test_a_text_that_is_not_unicode_is_its_row_s_failure(plain, clips):
    good, bad = run(plain, [(clips[2], "spoon"), (clips[2], "\ud800")], workers=2)
    assert good.frame_ids == plain.sample(clips[2], text="spoon").frame_ids
    assert isinstance(bad.cause, InvalidTextError)
    with pytest.raises(ParameterError, match="text has half of a surrogate pair"):
        replace(plain, text="\ud800")


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


def test_embeddings_that_are_not_finite_do_not_enter_an_index(clips):
    class NotFinite(Colours):
        def embed_images(self, inputs):
            return super().embed_images(inputs) * [np.nan, 1, 1]

    of = sampler(NotFinite())
    (failure,) = run(of, [(clips[0], [])], embeddings=True)
    assert failure.error == "ModuleError"
    assert "embed_images of NotFinite gave numbers that are not finite" in failure.message


def test_embeddings_of_different_lengths_do_not_enter_an_index(clips):
    class Growing(Colours):
        def embed_images(self, inputs):
            return np.ones((len(inputs), len(inputs)))  # the last batch is smaller

    (failure,) = run(sampler(Growing(), batch_size=7), [(clips[0], [])], embeddings=True)
    assert failure.error == "ModuleError"
    assert "gave 7 numbers for some frames, and 4 for others" in failure.message
