"""A folder that holds no usable CLIP: each error names the file and the remedy."""

import json
import pickle
import shutil
from pathlib import PurePath

import pytest
import torch
from safetensors.torch import load_file, save_file

from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.clip import load_clip
from spark_keyframes.errors import ModelError
from tests.clip.random_clip import save_byte_tokenizer

CPU = torch.device("cpu")
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 605157884\n"
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt")


@pytest.fixture
def broken(models, tmp_path):
    """A copy of the small model, to be broken."""
    shutil.copytree(models / "small", tmp_path / "broken")
    return tmp_path / "broken"


def load_broken(folder):
    return load_clip(str(folder.parent), "broken", device=CPU, dtype="float32")


def test_a_model_without_weights_is_an_error(broken):
    (broken / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot be loaded as CLIP"):
        load_broken(broken)


def test_weights_that_would_be_random_are_an_error(broken):
    weights = load_file(broken / "model.safetensors")
    del weights["text_projection.weight"]
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lack 1 tensors .*text_projection\.weight"):
        load_broken(broken)


def test_an_end_token_that_blinds_the_text_tower_is_an_error(broken):
    config = json.loads((broken / "config.json").read_text())
    config["text_config"]["eos_token_id"] = 7
    (broken / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="eos_token_id .* is 7, .* every text would mean the same"):
        load_broken(broken)


def test_pixels_of_another_size_than_the_model_sees_are_an_error(broken):
    path = broken / "preprocessor_config.json"
    settings = json.loads(path.read_text())
    settings["crop_size"] = {"height": 48, "width": 48}
    path.write_text(json.dumps(settings))
    with pytest.raises(ModelError, match=r"crops to 48 pixels, but the model sees 64"):
        load_broken(broken)


def test_a_missing_image_processor_is_an_error(broken):
    (broken / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match="cannot be loaded as CLIP"):
        load_broken(broken)


def without_tokenizer(folder):
    for name in TOKENIZER:
        (folder / name).unlink()
    # As OpenAI's files have it: it fits any tokenizer.
    configured("text_config", "eos_token_id", 2)(folder)


def configured(*path_and_value):
    *path, name, value = path_and_value

    def change(folder):
        config = inner = json.loads((folder / "config.json").read_text())
        for key in path:
            inner = inner[key]
        inner[name] = value
        (folder / "config.json").write_text(json.dumps(config))

    return change


def cut(name):
    def change(folder):
        (folder / name).write_bytes((folder / name).read_bytes()[:-100])

    return change


def written(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def pickled(content):
    def change(folder):
        (folder / "model.safetensors").unlink()
        (folder / "pytorch_model.bin").write_bytes(content)

    return change


def with_code(folder):
    (folder / "model.safetensors").unlink()
    torch.save({"weight": PurePath("x")}, folder / "pytorch_model.bin")


def blind_to_texts(folder):
    """Of the right size, but every word is the unknown one."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    kept = {token["content"] for token in tokenizer["added_tokens"]}
    tokenizer["model"]["vocab"] = {
        name if name in kept else f"none {number}": number for name, number in vocabulary.items()
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_tokenizer, "has no tokenizer; add tokenizer.json, or vocab.json and merges.txt"),
        (
            configured("text_config", "vocab_size", 700),
            "token_embedding.weight has (shape|another)",
        ),
        (
            written("model.safetensors", LFS),
            "safetensors is a Git LFS pointer.*pull",
        ),
        (written("config.json", LFS), "config.json is a Git LFS pointer"),
        (written("tokenizer.json", LFS), "tokenizer.json is a Git LFS pointer"),
        (written("model.safetensors", b""), "model.safetensors is empty; copy it again"),
        (written("model.safetensors", b"x" * 5), r"model.safetensors is cut off, it has 5 of \d+"),
        (written("model.safetensors", bytes(90)), "model.safetensors is no safetensors file"),
        (cut("model.safetensors"), r"model.safetensors is cut off, it has \d+ of \d+ bytes"),
        (cut("config.json"), "config.json is not valid JSON, or cut off"),
        (cut("tokenizer.json"), "tokenizer.json is not valid JSON, or cut off"),
        (written("preprocessor_config.json", b"[]"), "preprocessor_config.json is not a JSON obj"),
        (pickled(pickle.dumps({"weight": 1})), "pytorch_model.bin is cut off, or a pickle"),
        (pickled(b"junk"), "pytorch_model.bin is cut off, or a pickle"),
        (with_code, "pytorch_model.bin holds more than weights"),
        (
            configured("quantization_config", {"quant_method": "gptq", "bits": 4}),
            "config.json asks for weights quantised by gptq; use a checkpoint that is not",
        ),
        (configured("vision_config", "patch_size", 0), "patch_size 0 and image_size 64"),
        (configured("vision_config", "patch_size", 65), "patch_size 65 and image_size 64"),
        (
            configured("vision_config", "patch_size", 33),
            r"patch_embedding.weight has (shape|another)",
        ),
        (configured("vision_config", "patch_size", "x"), "config.json.*patch_size"),
        (
            configured("vision_config", "num_attention_heads", 3),
            "(attention heads|divisible by num_heads)",
        ),
        (configured("vision_config", "hidden_act", "none"), "the weights: KeyError: 'none'"),
        (blind_to_texts, "cannot tell one text from another"),
    ],
)
def test_what_cannot_be_used_is_a_model_error_that_says_why(broken, change, message):
    change(broken)
    with pytest.raises(ModelError, match=message):
        load_broken(broken)


def test_a_tokenizer_of_another_model_is_refused(broken):
    """One with more tokens than the model has: their embeddings do not exist."""
    save_byte_tokenizer(broken)
    config = json.loads((broken / "tokenizer.json").read_text())
    config["added_tokens"] += [
        {**config["added_tokens"][-1], "id": 514 + number, "content": f"<{number}>"}
        for number in range(3)
    ]
    (broken / "tokenizer.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="knows 517 tokens, and the model 514"):
        load_broken(broken)


def test_a_vocabulary_that_is_padded_is_not(broken):
    configured("text_config", "vocab_size", 576)(broken)
    weights = load_file(broken / "model.safetensors")
    name = "text_model.embeddings.token_embedding.weight"
    weights[name] = torch.cat([weights[name], torch.zeros(62, 32)])
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    assert load_broken(broken).embed_text("spoon").shape == (24,)


def test_what_is_wrong_with_a_model_reaches_the_caller_of_sample(broken, clips):
    cut("model.safetensors")(broken)
    sampler = VideoAdaptiveKeyframesSampling(
        text="spoon", model_path=str(broken.parent), clip_model_name="broken"
    )
    with pytest.raises(ModelError, match="cut off"):
        sampler.sample(clips[2])
