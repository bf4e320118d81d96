"""A small BlipForImageTextRetrieval with random weights, saved as a user's would be."""

from pathlib import Path

import torch
from transformers import BertTokenizer, BlipConfig, BlipForImageTextRetrieval

from tests.clip.transformers_classes import BlipImageProcessor

SIDE = 64


def save_random_blip(folder: Path, *, seed: int = 0) -> Path:
    """Save the model, a BERT tokenizer of letters, and the image processor."""
    folder.mkdir(parents=True)
    letters = [chr(c) for c in range(97, 123)]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    (folder / "vocab.txt").write_text("\n".join(tokens))
    tokenizer = BertTokenizer(str(folder / "vocab.txt"), model_max_length=48)
    tokenizer.save_pretrained(folder)
    tower = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
    }
    ids = {"pad_token_id": 0, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
    torch.manual_seed(seed)
    config = BlipConfig(
        text_config=tower | ids | {"vocab_size": len(tokens), "max_position_embeddings": 48},
        vision_config=tower | {"image_size": SIDE, "patch_size": 16},
    )
    model = BlipForImageTextRetrieval(config)
    # New weights are next to zero, and would make all scores the same.
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                weight.normal_(std=weight[0].numel() ** -0.5)
            elif name.endswith("bias"):
                weight.normal_(std=0.3)
    model.save_pretrained(folder)
    size = {"height": SIDE, "width": SIDE}
    BlipImageProcessor(size=size).save_pretrained(folder)
    return folder
