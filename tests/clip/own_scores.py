"""Scores by the plain way that transformers documents for each family, and frames to compare."""

import numpy as np
import torch
import transformers
from PIL import Image
from transformers import AutoTokenizer, BertTokenizer, PreTrainedTokenizerFast

from tests.clip.transformers_classes import (
    ChineseCLIPImageProcessor,
    CLIPImageProcessor,
    SiglipImageProcessor,
    of_dtype,
)
from tests.video.clips import picture

# In transformers 5 the same as XLMRobertaTokenizer; before, that one needs sentencepiece.
XLMRobertaTokenizer = transformers.XLMRobertaTokenizerFast

# The classes and the call of the tokenizer that each family's documentation shows.
PADDED = {"padding": "max_length", "max_length": 64}
OWN = {
    "siglip": ("Siglip", PreTrainedTokenizerFast, SiglipImageProcessor, PADDED),
    "siglip_2": ("Siglip", AutoTokenizer, SiglipImageProcessor, PADDED),
    "chinese_clip": (
        "ChineseCLIP",
        BertTokenizer,
        ChineseCLIPImageProcessor,
        {"max_length": 52},
    ),
    "altclip": ("AltCLIP", XLMRobertaTokenizer, CLIPImageProcessor, {"max_length": 40}),
    "metaclip_2": ("MetaClip2", XLMRobertaTokenizer, CLIPImageProcessor, {"max_length": 77}),
}


def grainy(number, width, height):
    """A picture with a camera's noise: flat areas would round alike in every pixel."""
    noise = np.random.default_rng(number).normal(0, 8, (height, width, 3))
    return (picture(number, width, height) + noise).clip(0, 255).astype(np.uint8)


def resizes_rows_first():
    """Whether Pillow resizes the rows of tall pictures first, and rounds in between."""
    tall = Image.fromarray(picture(37, 96, 400))
    by_steps = tall.resize((96, 300), Image.Resampling.BICUBIC).resize(
        (72, 300), Image.Resampling.BICUBIC
    )
    return tall.resize((72, 300), Image.Resampling.BICUBIC) == by_steps


def own_scores(folder, family, pictures, *texts):
    """Cosine similarities of transformers' own model, tokenizer and image processor, per text."""
    prefix, tokenizer_class, processor_class, call = OWN[family]
    model = getattr(transformers, f"{prefix}Model").from_pretrained(
        folder, **of_dtype(torch.float32)
    )
    tokenizer = tokenizer_class.from_pretrained(folder)
    pixels = processor_class.from_pretrained(folder)(pictures, return_tensors="pt")
    scores = []
    for text in texts:
        tokens = tokenizer([text], truncation=True, return_tensors="pt", **call)
        with torch.inference_mode():
            output = model.eval()(**tokens, **pixels)
        scores.append(torch.cosine_similarity(output.image_embeds, output.text_embeds).numpy())
    return scores
