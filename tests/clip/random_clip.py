"""CLIP models with random weights, saved as a user's would be: shape and numbers, no meaning."""

import json
from pathlib import Path

import torch
from transformers import CLIPConfig, CLIPModel

from tests.clip.transformers_classes import CLIPImageProcessor, CLIPTokenizer


def save_random_clip(folder: Path, *, small: bool = True, seed: int = 0) -> Path:
    """Save a CLIPModel, its tokenizer and its image processor; ViT-B/32 unless `small`."""
    folder.mkdir(parents=True)
    tokenizer = save_byte_tokenizer(folder)
    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    text, vision, projection = ids | {"vocab_size": len(tokenizer)}, {}, 512
    if small:
        tower = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}
        tower |= {"num_hidden_layers": 2, "projection_dim": 24}
        text |= tower
        vision = tower | {"image_size": 64, "patch_size": 16}
        projection = 24
    torch.manual_seed(seed)
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=projection)
    CLIPModel(config).save_pretrained(folder)
    side = 64 if small else 224
    CLIPImageProcessor(
        size={"shortest_edge": side}, crop_size={"height": side, "width": side}
    ).save_pretrained(folder)
    return folder


def save_byte_tokenizer(folder: Path) -> CLIPTokenizer:
    """CLIP's tokenizer without merges: a token per byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [256 + i for i in range(256 - len(printable))]
    letters = [chr(c) for c in [*printable, *others]]
    tokens = [*letters, *(f"{c}</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77
    )
    tokenizer.save_pretrained(folder)
    return tokenizer
