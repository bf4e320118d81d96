"""Runs the training script on a few drawings."""

import inspect
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import CLIPTokenizer

from spark_keyframes.demo import train_clip
from spark_keyframes.demo.captions import vocabulary_texts
from spark_keyframes.demo.evaluate import Scorer
from spark_keyframes.demo.tokenizer import train_tokenizer
from spark_keyframes.demo.train_clip import Recipe, contrastive_loss, save, train


def test_the_loss_is_low_when_all_fitting_pairs_score_alike():
    # Two pictures of a spoon and one of a cup; "spoon", "cup", and a text that nothing fits.
    fits = torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    perfect = contrastive_loss(50 * fits, fits)
    # At best, "spoon" gives each of its two pictures a probability of one half.
    assert perfect.item() == pytest.approx(torch.log(torch.tensor(2.0)).item() / 4, abs=1e-4)
    assert contrastive_loss(50 * (1 - fits), fits) > 10 * perfect


# The model is part of the package; only who trains another one needs this.
needs_transformers_5 = pytest.mark.skipif(
    "vocab" not in inspect.signature(CLIPTokenizer.__init__).parameters,
    reason="the demo's tokenizer is trained with transformers 5",
)


@needs_transformers_5
def test_common_words_become_single_tokens():
    tokenizer = train_tokenizer(vocabulary_texts(), merges=448)
    assert tokenizer.tokenize("a red spoon") == ["a</w>", "red</w>", "spoon</w>"]
    assert len(tokenizer) < 1_000


@needs_transformers_5
@pytest.mark.slow
def test_training_lowers_the_loss_and_saves_a_loadable_model(tmp_path, monkeypatch):
    losses = []

    def record(logits, fits):
        losses.append(contrastive_loss(logits, fits))
        return losses[-1]

    monkeypatch.setattr(train_clip, "contrastive_loss", record)
    threads = torch.get_num_threads()
    try:
        model, tokenizer = train(replace(Recipe(), drawings=512, steps=30, warm_up=5))
    finally:
        torch.set_num_threads(threads)
    assert sum(losses[-5:]) < 0.97 * sum(losses[:5])
    folder = Path(tmp_path) / "model"
    save(model, tokenizer, folder)
    assert Scorer(folder)
