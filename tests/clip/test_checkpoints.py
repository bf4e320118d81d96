"""Checkpoints as people have them: shards, pickles, half precision, other sizes, old tokenizers."""

import json
import shutil
from pathlib import PurePath

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, CLIPConfig, CLIPModel

from spark_keyframes.clip import model_revision
from spark_keyframes.errors import ModelError
from spark_keyframes.module import ClipModule
from tests.clip.own_scores import grainy, own_scores
from tests.clip.random_clip import save_byte_tokenizer
from tests.clip.random_families import FAMILIES, configure, needs_metaclip_2
from tests.clip.test_model import transformers_scores
from tests.clip.transformers_classes import CLIPImageProcessor, of_dtype

FRAMES = [grainy(number, 640, 360) for number in (0, 60, 120)]
TEXT = "a red spoon 勺子"


@pytest.fixture(params=["small", "siglip", "chinese_clip"])
def copied(request, models, families, tmp_path):
    """A copy of a model: CLIP, or one of another family."""
    source = models if request.param == "small" else families
    return shutil.copytree(source / request.param, tmp_path / request.param)


def scores(folder):
    module = ClipModule(model_path=str(folder.parent), clip_model_name=folder.name, dtype="float32")
    module.setup(torch.device("cpu"))
    inputs = [module.preprocess(frame) for frame in FRAMES]
    return module.predict_step(inputs, [TEXT] * len(inputs))


def revision(folder):
    return model_revision(str(folder.parent), folder.name)


def take_weights(folder):
    weights = load_file(folder / "model.safetensors")
    # Not mapped from the file, which goes.
    weights = {name: weight.clone() for name, weight in weights.items()}
    (folder / "model.safetensors").unlink()
    return weights


def test_weights_in_several_safetensors_files(copied):
    expected = scores(copied)
    model = AutoModel.from_pretrained(copied)
    size = sum(weight.nbytes for weight in model.parameters())
    (copied / "model.safetensors").unlink()
    model.save_pretrained(copied, max_shard_size=size // 2)
    assert not (copied / "model.safetensors").exists()
    assert len(list(copied.glob("model-*.safetensors"))) > 1
    assert np.abs(scores(copied) - expected).max() < 1e-6


def test_weights_in_pytorch_model_bin_only(copied):
    expected = scores(copied)
    weights = take_weights(copied)
    torch.save(weights, copied / "pytorch_model.bin")
    assert np.array_equal(scores(copied), expected)
    first = revision(copied)
    name = next(iter(weights))
    torch.save(weights | {name: weights[name] + 1}, copied / "pytorch_model.bin")
    assert revision(copied) != first, "other weights are another model"


def test_weights_in_several_bin_files(copied):
    expected = scores(copied)
    weights = take_weights(copied)
    places = {name: f"pytorch_model-{number % 2}.bin" for number, name in enumerate(weights)}
    for file in set(places.values()):
        part = {name: weight for name, weight in weights.items() if places[name] == file}
        torch.save(part, copied / file)
    index = {"metadata": {}, "weight_map": places}
    (copied / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    assert np.array_equal(scores(copied), expected)
    first = revision(copied)
    (copied / "pytorch_model-1.bin").write_bytes(b"other")
    assert revision(copied) != first


def test_an_index_of_shards_without_their_names_is_said_to_be_wrong(copied):
    take_weights(copied)
    (copied / "model.safetensors.index.json").write_text('{"metadata": {}}')
    with pytest.raises(ModelError, match="index.json does not say which file holds which weights"):
        scores(copied)


def test_a_pickle_that_holds_more_than_weights_is_refused(copied):
    torch.save(take_weights(copied) | {"code": PurePath("x")}, copied / "pytorch_model.bin")
    with pytest.raises(ModelError, match="holds more than weights, and could run code; convert it"):
        scores(copied)


def test_weights_in_bfloat16_compute_in_float32(copied):
    exact = scores(copied)
    AutoModel.from_pretrained(copied, **of_dtype(torch.bfloat16)).save_pretrained(copied)
    if copied.name == "small":
        expected = transformers_scores(copied, FRAMES, TEXT)
    else:
        [expected] = own_scores(copied, copied.name, FRAMES, TEXT)
    ours = scores(copied)
    assert np.abs(ours - expected).max() < 1e-4
    assert not np.array_equal(ours, exact)


@pytest.mark.parametrize(("side", "patch"), [(224, 14), (336, 14)])
def test_the_layout_of_vit_l_14(tmp_path, side, patch):
    """Towers of different widths, and 336 pixels."""
    folder = tmp_path / "large"
    folder.mkdir()
    tokenizer = save_byte_tokenizer(folder)
    tower = {"num_hidden_layers": 2, "intermediate_size": 64}
    text = {"hidden_size": 24, "num_attention_heads": 3, "vocab_size": len(tokenizer)}
    text |= {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id}
    vision = {"hidden_size": 32, "num_attention_heads": 4, "image_size": side, "patch_size": patch}
    torch.manual_seed(0)
    config = CLIPConfig(text_config=tower | text, vision_config=tower | vision, projection_dim=48)
    CLIPModel(config).save_pretrained(folder)
    # As OpenAI's own files say it.
    CLIPImageProcessor().save_pretrained(folder)
    configure(folder, "preprocessor_config.json", size=side, crop_size=side)
    expected = transformers_scores(folder, FRAMES, TEXT)
    assert np.abs(scores(folder) - expected).max() < 1e-4


def test_a_clip_without_tokenizer_json(models, tmp_path):
    folder = shutil.copytree(models / "small", tmp_path / "small")
    expected = scores(folder)
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    assert (folder / "vocab.json").exists()
    assert np.array_equal(scores(folder), expected)


def test_the_vocabulary_is_part_of_the_revision_where_there_is_no_tokenizer_json(
    families, tmp_path
):
    folder = shutil.copytree(families / "chinese_clip", tmp_path / "chinese")
    assert not (folder / "tokenizer.json").exists()
    first = revision(folder)
    lines = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    lines[5], lines[6] = lines[6], lines[5]
    (folder / "vocab.txt").write_text("\n".join(lines), encoding="utf-8")
    assert revision(folder) != first


@pytest.mark.parametrize(
    ("family", "name"),
    [("siglip", "spiece.model"), ("altclip", "sentencepiece.bpe.model")],
)
def test_a_tokenizer_that_needs_sentencepiece_says_how_to_get_it(
    families, tmp_path, family, name, monkeypatch
):
    folder = shutil.copytree(families / family, tmp_path / family)
    (folder / "tokenizer.json").unlink()
    (folder / name).write_bytes(b"a sentencepiece model")
    find = "spark_keyframes.clip.families.family.importlib.util.find_spec"
    monkeypatch.setattr(find, lambda _: None)
    with pytest.raises(ModelError, match=rf"is {name}, and .*pip install .*sentencepiece\]'"):
        scores(folder)


SUPPORTED = (
    r'supported are CLIP \("clip"\), SigLIP \("siglip"\), Chinese-CLIP \("chinese_clip"\), '
    r'AltCLIP \("altclip"\), MetaCLIP 2 \("metaclip_2"\)'
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "blip"}, "model_type 'blip'; "),
        ({"model_type": "clip_text_model"}, "model_type 'clip_text_model'; "),
        ({"model_type": ["clip"]}, r"model_type \['clip'\]; "),
        ({"model_type": "siglip2"}, "NaFlex.*use a SigLIP 2 of fixed resolution.*; "),
        ({"auto_map": {"AutoModel": "own.Model"}}, r"code of the model's own \(auto_map\).*run; "),
    ],
)
def test_what_is_not_supported_says_what_is(models, tmp_path, changes, message):
    folder = shutil.copytree(models / "small", tmp_path / "small")
    configure(folder, "config.json", **changes)
    with pytest.raises(ModelError, match=message + SUPPORTED):
        scores(folder)


def test_a_tokenizer_with_code_of_its_own_is_refused(families, tmp_path):
    folder = shutil.copytree(families / "altclip", tmp_path / "altclip")
    code = {"AutoTokenizer": ["own.Slow", "own.Fast"]}
    configure(folder, "tokenizer_config.json", auto_map=code, tokenizer_class="OwnTokenizer")
    (folder / "own.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(ModelError, match="tokenizer"):
        scores(folder)


def test_a_siglip_without_its_head_is_refused(families, tmp_path):
    folder = shutil.copytree(families / "siglip", tmp_path / "siglip")
    vision = json.loads((folder / "config.json").read_text())["vision_config"]
    configure(folder, "config.json", vision_config=vision | {"vision_use_head": False})
    with pytest.raises(ModelError, match="without its head the model has no embeddings of images"):
        scores(folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_without_a_tokenizer_is_refused(families, tmp_path, family):
    folder = shutil.copytree(families / family, tmp_path / family)
    for file in ("vocab.txt", "tokenizer.json", "tokenizer_config.json"):
        (folder / file).unlink(missing_ok=True)
    with pytest.raises(
        ModelError, match=r"has no tokenizer; add tokenizer\.json or .* of the same"
    ):
        scores(folder)


def test_a_tokenizer_that_knows_no_word_is_refused(families, tmp_path):
    folder = shutil.copytree(families / "chinese_clip", tmp_path / "chinese")
    lines = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    lines[5:-1] = (f"[{number}]" for number in range(len(lines) - 6))
    (folder / "vocab.txt").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(
        ModelError, match="cannot tell one text from another; use tokenizer.json or"
    ):
        scores(folder)


def test_a_tokenizer_of_another_model_is_refused(families, tmp_path):
    folder = shutil.copytree(families / "chinese_clip", tmp_path / "chinese")
    vocabulary = (folder / "vocab.txt").read_text(encoding="utf-8")
    more = "".join(f"word{number}\n" for number in range(300))
    (folder / "vocab.txt").write_text(vocabulary + more, encoding="utf-8")
    with pytest.raises(ModelError, match=r"knows \d+ tokens, and the model \d+ .*vocab_size"):
        scores(folder)


@needs_metaclip_2
def test_an_end_token_that_blinds_metaclip_2_is_an_error(families, tmp_path):
    folder = shutil.copytree(families / "metaclip_2", tmp_path / "metaclip")
    text = json.loads((folder / "config.json").read_text())["text_config"]
    configure(folder, "config.json", text_config=text | {"eos_token_id": 7})
    with pytest.raises(ModelError, match="eos_token_id .* is 7, .* every text would mean the same"):
        scores(folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_pixels_of_another_size_than_the_model_sees_are_an_error(families, tmp_path, family):
    folder = shutil.copytree(families / family, tmp_path / family)
    side = {"height": 192, "width": 192}
    configure(folder, "preprocessor_config.json", size=side, crop_size=side)
    with pytest.raises(ModelError, match="to 192 pixels, but the model sees 224"):
        scores(folder)
