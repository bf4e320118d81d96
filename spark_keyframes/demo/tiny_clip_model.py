"""Builds the tiny CLIP and initialises its weights."""

from __future__ import annotations

import math

import torch
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

from spark_keyframes.demo.tokenizer import MAX_TOKENS

SIDE = 72
PATCH = 12
WIDTH = 128


def build_model(tokenizer: CLIPTokenizer, *, width: int = WIDTH) -> CLIPModel:
    """Return a CLIPModel of 1.3 million weights."""
    shared = {"hidden_size": width, "intermediate_size": 4 * width, "num_attention_heads": 4}
    config = CLIPConfig(
        text_config={
            **shared,
            "vocab_size": len(tokenizer),
            "num_hidden_layers": 2,
            "max_position_embeddings": MAX_TOKENS,
            # Without these ids the text pooling silently takes the first position of every text.
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "projection_dim": width,
        },
        vision_config={
            **shared,
            "num_hidden_layers": 4,
            "image_size": SIDE,
            "patch_size": PATCH,
            "projection_dim": width,
        },
        projection_dim=width,
        logit_scale_init_value=math.log(10.0),
    )
    return CLIPModel(config)


def build_processor() -> CLIPImageProcessor:
    """Return CLIP's own image processor, with the tiny model's size."""
    return CLIPImageProcessor(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )


@torch.no_grad()
def initialise_vision(model: CLIPModel, pixels: torch.Tensor) -> None:
    """Initialise the vision encoder: a whitening patch embedding, 2-D sine positions.

    The rows of the patch embedding are the leading principal directions of patches, scaled to unit
    variance. Neighbouring patches get similar positions. Both save most of the training.

    Args:
        model: The model to change.
        pixels: Normalised pictures, shape (n, 3, SIDE, SIDE).
    """
    embeddings = model.vision_model.embeddings
    patches = torch.nn.functional.unfold(pixels, PATCH, stride=PATCH).transpose(1, 2)
    flat = patches.reshape(-1, patches.shape[-1])
    flat = flat - flat.mean(0)
    values, vectors = torch.linalg.eigh(flat.T @ flat / len(flat))
    weight = embeddings.patch_embedding.weight
    rows = (vectors / (values + 1e-2).sqrt()).flip(1).T[: len(weight)]
    weight.copy_(rows.reshape(weight.shape))
    positions = embeddings.position_embedding.weight
    width = positions.shape[1]
    frequencies = math.pi * torch.logspace(-0.3, 0.8, width // 4)
    grid = torch.linspace(-0.5, 0.5, SIDE // PATCH)
    y, x = torch.meshgrid(grid, grid, indexing="ij")
    waves = [f(c.reshape(-1, 1) * frequencies) for c in (x, y) for f in (torch.sin, torch.cos)]
    positions[1:] = 0.5 * torch.cat(waves, 1)
    positions[0] = 0
