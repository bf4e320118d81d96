"""Differences between versions of transformers; the oldest one runs these tests too."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from spark_keyframes.clip.families import family_of
from spark_keyframes.clip.loading import _check_weights
from spark_keyframes.clip.versions import (
    embeddings_of,
    image_processor_class,
    pixels_of,
    transformers_class,
)
from spark_keyframes.errors import ModelError
from spark_keyframes.module import ClipModule
from tests.clip.own_scores import grainy


def test_a_family_that_this_transformers_lacks_is_an_error_that_names_it():
    message = r"transformers \d.* has no CLIP9Model, which CLIP 9 needs; install a newer one"
    with pytest.raises(ModelError, match=message):
        transformers_class("CLIP9Model", "CLIP 9")


@pytest.mark.parametrize("size", [{"height": 3}, SimpleNamespace(height=3)])
def test_sizes_are_dictionaries_or_have_attributes(size):
    assert pixels_of(size, "height") == 3
    assert pixels_of(size, "width") is None


def test_embeddings_are_a_tensor_or_a_part_of_the_output():
    rows = torch.ones(2, 3)
    assert embeddings_of(rows) is rows
    assert embeddings_of(SimpleNamespace(pooler_output=rows)) is rows


def test_the_image_processor_needs_no_torchvision():
    processor = image_processor_class("clip", "CLIPImageProcessor")()
    pixels = processor(grainy(0, 64, 48), return_tensors="np")["pixel_values"]
    assert np.asarray(pixels).shape == (1, 3, 224, 224)


@pytest.mark.parametrize(
    ("mismatched", "message"),
    [
        (["a.weight"], r"a.weight has another shape than the config says \(tensors"),
        (
            [("a.weight", (1, 2), (3, 4))],
            r"a.weight has shape \(1, 2\), and the config says \(3, 4",
        ),
    ],
)
def test_weights_of_another_shape_are_named_with_or_without_it(mismatched, message):
    report = {"missing_keys": [], "mismatched_keys": mismatched}
    with pytest.raises(ModelError, match=message):
        _check_weights(report, "models/clip", family_of({"model_type": "clip"}, "models/clip"))


def test_texts_of_a_siglip_2_end_with_its_end_token_whichever_file_says_so(families, tmp_path):
    """transformers 5 does not save it in tokenizer_config.json, where 4 looks for it."""
    folder = shutil.copytree(families / "siglip_2", tmp_path / "siglip_2")
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    for name in ("add_bos_token", "add_eos_token"):
        settings.pop(name, None)
    path.write_text(json.dumps(settings))
    rows = []
    for parent in (families, tmp_path):
        module = ClipModule(model_path=str(parent), clip_model_name="siglip_2", dtype="float32")
        module.setup(torch.device("cpu"))
        rows.append(module.embed_texts(["a Red Car"]))
    assert torch.equal(*rows)
