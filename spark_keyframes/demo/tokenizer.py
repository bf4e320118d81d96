"""Trains a small byte-pair tokenizer with CLIP's conventions."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import CLIPTokenizer

MAX_TOKENS = 77
"""CLIP's own limit."""


def train_tokenizer(texts: Iterable[str], merges: int) -> CLIPTokenizer:
    """Learn up to `merges` byte pairs from texts.

    The ids are in the order of CLIP's own vocabulary: the 256 bytes, the 256 bytes that end a word,
    the merges, <|startoftext|>, <|endoftext|>. So every text in any script has tokens.
    """
    # Split the texts as the finished tokenizer will, so that its merges apply.
    pipeline = CLIPTokenizer().backend_tokenizer
    learner = Tokenizer(BPE(end_of_word_suffix="</w>"))
    learner.normalizer = pipeline.normalizer
    learner.pre_tokenizer = pipeline.pre_tokenizer
    trainer = BpeTrainer(
        vocab_size=512 + merges,
        min_frequency=1,
        initial_alphabet=ByteLevel.alphabet(),
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    learned = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]][:merges]
    letters = sorted(ByteLevel.alphabet())
    pieces = [*letters, *(letter + "</w>" for letter in letters)]
    pieces += list(dict.fromkeys(a + b for a, b in learned))
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={piece: i for i, piece in enumerate(pieces)},
        merges=learned,
        model_max_length=MAX_TOKENS,
    )
