"""Tests the committed model on drawings that it was not trained on, with the code of the jobs."""

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, CLIPModel

from spark_keyframes.clip import load_clip
from spark_keyframes.demo import MODEL, MODELS
from spark_keyframes.demo.dataset import TESTS
from spark_keyframes.demo.drawing.objects import KINDS
from spark_keyframes.demo.evaluate import Scorer, retrieval
from spark_keyframes.demo.scene import random_scene, snapshot
from tests.clip.transformers_classes import CLIPTokenizer

FOLDER = MODELS / MODEL


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(FOLDER)


@pytest.mark.slow
def test_the_best_candidate_shows_the_wanted_object():
    result = retrieval(FOLDER, 100, TESTS, height=240)
    assert result.found >= 95, result.lines()
    assert result.wanted - max(result.missing, result.unknown) > 0.3, result.lines()


def test_each_object_scores_highest_for_its_own_word(scorer):
    rng = np.random.default_rng([TESTS, 2])
    names = list(KINDS)
    pictures = [snapshot(random_scene(rng, name), 0.5, 180, rng) for name in names for _ in "123"]
    best = scorer.scores(pictures, names).argmax(1)
    right = best == np.repeat(np.arange(len(names)), 3)
    assert right.mean() >= 0.9


def test_colours_in_the_text_matter(scorer):
    rng = np.random.default_rng([TESTS, 3])
    colours = ["red", "green", "blue"]
    scenes = [random_scene(rng, "spoon", colour=c, place="plain") for c in colours]
    pictures = [snapshot(scene, 0.5, 360, rng) for scene in scenes]
    scores = scorer.scores(pictures, [f"a {colour} spoon" for colour in colours])
    assert scores.argmax(1).tolist() == [0, 1, 2]


def test_two_texts_embed_differently():
    clip = load_clip(str(FOLDER.parent), FOLDER.name, device=torch.device("cpu"), dtype="float32")
    cosine = float(clip.embed_text("spoon") @ clip.embed_text("house"))
    assert cosine < 0.5
    assert float(clip.embed_text("spoon") @ clip.embed_text("A SPOON")) > 0.9


@pytest.mark.parametrize("text", ["", "xylophone", "勺子", "🥄?!", "spoon " * 200])
def test_any_text_has_an_embedding(scorer, text):
    picture = snapshot(
        random_scene(np.random.default_rng(0), "spoon"), 0.5, 90, np.random.default_rng(0)
    )
    assert np.isfinite(scorer.scores([picture], [text])).all()


def test_the_tokenizer_round_trips(tmp_path):
    tokenizer = CLIPTokenizer.from_pretrained(FOLDER)
    texts = ["a photo of a wooden spoon", "Fried EGG!", "ein löffel"]
    ids = tokenizer(texts).input_ids
    assert ids[0][0] == tokenizer.bos_token_id
    assert ids[0][-1] == tokenizer.eos_token_id
    assert tokenizer.decode(ids[0], skip_special_tokens=True) == texts[0]
    tokenizer.save_pretrained(tmp_path)
    assert CLIPTokenizer.from_pretrained(tmp_path)(texts).input_ids == ids
    assert AutoTokenizer.from_pretrained(FOLDER)(texts).input_ids == ids


def test_the_weights_are_those_of_a_plain_clip_model():
    model, report = CLIPModel.from_pretrained(FOLDER, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert model.dtype == torch.float32, "plain pixels are float32: half weights would fail on them"
    text = model.config.text_config
    tokenizer = CLIPTokenizer.from_pretrained(FOLDER)
    # With other ids the pooling silently takes position 0 of every text.
    assert text.eos_token_id == tokenizer.eos_token_id != 2
    assert text.max_position_embeddings == tokenizer.model_max_length


def test_the_folder_is_small():
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 6e6
