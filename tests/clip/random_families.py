"""A model of each encoder family with random weights, as people have its files: no meaning."""

import inspect
import json
from pathlib import Path

import pytest
import torch
import transformers
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertTokenizer,
    GemmaTokenizer,
    PreTrainedTokenizerFast,
    XLMRobertaTokenizer,
)

from tests.clip.transformers_classes import (
    ChineseCLIPImageProcessor,
    CLIPImageProcessor,
    SiglipImageProcessor,
)

SIDE = 224
LETTERS = [chr(c) for c in range(33, 127)]
CHINESE = list("一只红色的汽车从上面看勺子狗在草地跑")
CROP = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
SQUASH = {"size": {"height": SIDE, "width": SIDE}}
# As wide as this, because a difference of one grey level moves a narrow tower's scores further.
WIDTH = 256
TOWER = {
    "hidden_size": WIDTH,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
}
VISION = TOWER | {"image_size": SIDE, "patch_size": 32}


def save_family(folder: Path, family: str, *, seed: int = 0) -> Path:
    """Save a small model of a family, its tokenizer and its image processor."""
    folder.mkdir(parents=True)
    SAVE[family](folder, seed)
    return folder


def save_model(folder: Path, prefix: str, seed: int, **settings) -> None:
    """Save a model as transformers makes it, with text weights as large as trained ones."""
    torch.manual_seed(seed)
    config = getattr(transformers, f"{prefix}Config")(**settings)
    model = getattr(transformers, f"{prefix}Model")(config)
    # New biases and embeddings are next to zero, and so would hide mistakes with tokens.
    with torch.no_grad():
        for name, weight in model.text_model.named_parameters():
            if name.endswith("bias"):
                weight.normal_(std=0.3)
            elif weight.ndim > 1:
                weight.normal_(std=weight[0].numel() ** -0.5)
    model.save_pretrained(folder)


def takes_vocabulary(tokenizer_class) -> bool:
    """Whether a tokenizer is made of a vocabulary (transformers 5), and not of a Tokenizer."""
    return "vocab" in inspect.signature(tokenizer_class.__init__).parameters


def gemma_tokenizer(pieces: list[str], **settings) -> PreTrainedTokenizerFast:
    """Gemma's tokenizer without merges: a token per character."""
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    if takes_vocabulary(GemmaTokenizer):
        return GemmaTokenizer(vocab=vocabulary, merges=[], **settings)
    tokenizer = Tokenizer(
        models.BPE(vocabulary, [], unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    return transformers.GemmaTokenizerFast(tokenizer_object=tokenizer, **settings)


def xlm_tokenizer(pieces: list[str], **settings) -> PreTrainedTokenizerFast:
    """XLM-RoBERTa's tokenizer of pieces that are equally likely."""
    vocabulary = [(piece, -1.0) for piece in pieces]
    if takes_vocabulary(XLMRobertaTokenizer):
        return XLMRobertaTokenizer(vocab=vocabulary, **settings)
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=pieces.index("<unk>")))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    ends = [(token, pieces.index(token)) for token in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=ends)
    return transformers.XLMRobertaTokenizerFast(tokenizer_object=tokenizer, **settings)


def save_siglip(folder: Path, seed: int) -> None:
    """SigLIP: tokenizer.json beside the name of a class that needs sentencepiece."""
    pieces = ["<unk>", "</s>", "▁", *LETTERS, *CHINESE]
    tokenizer = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], unk_id=0))
    punctuation = Regex(r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]")
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Lowercase(),
            normalizers.Replace(punctuation, ""),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        eos_token="</s>",
        pad_token="</s>",
        model_max_length=64,
        model_input_names=["input_ids"],
        do_lower_case=True,
    ).save_pretrained(folder)
    configure(folder, "tokenizer_config.json", tokenizer_class="SiglipTokenizer")
    text = TOWER | {"vocab_size": len(pieces), "max_position_embeddings": 64}
    save_model(folder, "Siglip", seed, text_config=text, vision_config=VISION)
    SiglipImageProcessor(**SQUASH).save_pretrained(folder)


def save_siglip_2(folder: Path, seed: int) -> None:
    """SigLIP 2 of fixed resolution: SigLIP's layout, Gemma's tokenizer, bilinear."""
    specials = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    pieces = [*specials, "▁", *LETTERS, *CHINESE, *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer = gemma_tokenizer(
        list(dict.fromkeys(pieces)),
        add_bos_token=False,
        add_eos_token=True,
        padding_side="right",
        do_lower_case=True,
        model_input_names=["input_ids"],
    )
    tokenizer.save_pretrained(folder)
    text = TOWER | {"vocab_size": len(tokenizer), "max_position_embeddings": 64}
    save_model(folder, "Siglip", seed, text_config=text, vision_config=VISION)
    SiglipImageProcessor(**SQUASH, resample=2).save_pretrained(folder)


def save_chinese_clip(folder: Path, seed: int) -> None:
    """Chinese-CLIP as published: vocab.txt and no tokenizer.json, squashed and not cropped."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*specials, *LETTERS, *(f"##{letter}" for letter in LETTERS), *CHINESE]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    size = len(BertTokenizer.from_pretrained(folder))
    text = TOWER | {"vocab_size": size, "max_position_embeddings": 52}
    save_model(
        folder, "ChineseCLIP", seed, text_config=text, vision_config=VISION, projection_dim=WIDTH
    )
    ChineseCLIPImageProcessor(**SQUASH, do_center_crop=False).save_pretrained(folder)


def save_xlm_tokenizer(folder: Path, **settings) -> dict:
    """XLM-RoBERTa's tokenizer; returns what the text tower has to know of it."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *LETTERS, *CHINESE, "<mask>"]
    tokenizer = xlm_tokenizer(pieces, **settings)
    tokenizer.save_pretrained(folder)
    return {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def save_altclip(folder: Path, seed: int) -> None:
    """AltCLIP, whose positions begin after that of padding."""
    ids = save_xlm_tokenizer(folder, model_max_length=512)
    text = TOWER | ids | {"max_position_embeddings": 42, "project_dim": 24}
    save_model(
        folder, "AltCLIP", seed, text_config=text, vision_config=VISION, projection_dim=WIDTH
    )
    CLIPImageProcessor(**CROP).save_pretrained(folder)


def save_metaclip_2(folder: Path, seed: int) -> None:
    """MetaCLIP 2."""
    text = TOWER | save_xlm_tokenizer(folder) | {"projection_dim": WIDTH}
    vision = VISION | {"projection_dim": WIDTH}
    save_model(
        folder, "MetaClip2", seed, text_config=text, vision_config=vision, projection_dim=WIDTH
    )
    CLIPImageProcessor(**CROP).save_pretrained(folder)


def configure(folder: Path, file: str, **changes) -> None:
    """Change settings in one of a model's files."""
    settings = json.loads((folder / file).read_text(encoding="utf-8"))
    (folder / file).write_text(json.dumps(settings | changes), encoding="utf-8")


SAVE = {
    "siglip": save_siglip,
    "siglip_2": save_siglip_2,
    "chinese_clip": save_chinese_clip,
    "altclip": save_altclip,
    "metaclip_2": save_metaclip_2,
}

LACKING = set() if hasattr(transformers, "MetaClip2Model") else {"metaclip_2"}
needs_metaclip_2 = pytest.mark.skipif(
    bool(LACKING), reason=f"transformers {transformers.__version__} has no MetaCLIP 2"
)
FAMILIES = [
    pytest.param(family, marks=[needs_metaclip_2] if family == "metaclip_2" else [])
    for family in SAVE
]
"""The names of `SAVE`, as parameters of tests."""
