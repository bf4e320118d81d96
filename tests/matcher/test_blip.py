"""BLIP's image-text matching: its numbers are transformers', and its mistakes are named."""

import json
import logging
import re
import shutil

import numpy as np
import pytest
import torch
from transformers import BertTokenizer, BlipForImageTextRetrieval

from spark_keyframes import BlipModule
from spark_keyframes.errors import InvalidTextError, ModelError, ModelNotFoundError
from tests.clip.random_clip import save_random_clip
from tests.clip.transformers_classes import BlipImageProcessor, of_dtype
from tests.engine.own_modules import run, sampler
from tests.matcher.random_blip import save_random_blip
from tests.video.clips import picture

CPU = torch.device("cpu")
TEXTS = ["a red car seen from above", "spoon", "", "Löffel 勺子", "word " * 200]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a BLIP, called "blip"."""
    folder = tmp_path_factory.mktemp("matchers")
    save_random_blip(folder / "blip")
    return folder


def blip(folder, name="blip", dtype="float32"):
    module = BlipModule(model_path=str(folder), blip_model_name=name, dtype=dtype)
    module.setup(CPU)
    return module


def transformers_scores(folder, frames, text):
    """The probability of a match by the plain way that transformers documents."""
    model = BlipForImageTextRetrieval.from_pretrained(folder, **of_dtype(torch.float32)).eval()
    tokens = BertTokenizer.from_pretrained(folder)(
        [text] * len(frames), truncation=True, return_token_type_ids=False, return_tensors="pt"
    )
    pixels = BlipImageProcessor.from_pretrained(folder)(frames, return_tensors="pt")
    with torch.inference_mode():
        return torch.softmax(model(**tokens, **pixels).itm_score, dim=1)[:, 1].numpy()


FRAMES = [picture(n, *size) for n, size in enumerate([(160, 96), (96, 160), (64, 64), (641, 90)])]


@pytest.mark.parametrize("text", TEXTS)
def test_float32_scores_are_those_of_transformers(folder, text):
    module = blip(folder)
    inputs = [module.preprocess(frame) for frame in FRAMES]
    scores = module.predict_step(inputs, [text] * len(inputs)).numpy()
    assert np.abs(scores - transformers_scores(folder / "blip", FRAMES, text)).max() < 1e-4
    assert scores.std() > 1e-2, "a model that sees no difference proves nothing"


def test_frames_with_texts_of_their_own_score_as_alone(folder):
    module = blip(folder)
    inputs = [module.preprocess(frame) for frame in FRAMES]
    pairs = [(each, text) for each in inputs for text in TEXTS]
    together = module.predict_step(*zip(*pairs, strict=True))
    alone = [module.predict_step([each], [text])[0] for each, text in pairs]
    assert together.tolist() == pytest.approx([float(each) for each in alone], abs=1e-5)
    assert together.reshape(len(inputs), -1).std(dim=1).min() > 1e-2


def test_a_frame_goes_through_the_image_tower_once_for_several_texts(folder):
    module = blip(folder)
    seen = []
    tower = module.blip._model.vision_model
    tower.register_forward_hook(lambda *given: seen.append(len(given[2].last_hidden_state)))
    inputs = [module.preprocess(frame) for frame in FRAMES[:2]]
    module.predict_step([each for each in inputs for _ in TEXTS], TEXTS * 2)
    assert seen == [2]


def test_float16_on_a_cpu_is_float32(folder):
    inputs = [blip(folder).preprocess(frame) for frame in FRAMES]
    texts = ["spoon"] * len(inputs)
    exact, asked = (blip(folder, dtype=dtype) for dtype in ("float32", "float16"))
    assert exact.predict_step(inputs, texts).equal(asked.predict_step(inputs, texts))
    assert asked.tolerance == 0


@pytest.mark.gpu
def test_float16_on_a_gpu_is_close(folder):
    exact, fast = blip(folder), BlipModule(model_path=str(folder), blip_model_name="blip")
    fast.setup(torch.device("cuda"))
    inputs = [exact.preprocess(frame) for frame in FRAMES]
    texts = ["spoon"] * len(inputs)
    off = fast.predict_step(inputs, texts).cpu() - exact.predict_step(inputs, texts)
    assert off.abs().max() < 5e-3


def test_alone_it_scores_all_candidates(folder, clips):
    of = sampler(BlipModule(model_path=str(folder), blip_model_name="blip", dtype="float32"))
    (found,) = run(of, [(clips[2], "spoon")])
    assert len(found.candidates.scores) == 6
    best = sorted(np.argsort(-np.array(found.candidates.scores), kind="stable")[:4])
    assert found.scores == [found.candidates.scores[index] for index in best]
    assert all(0 < score < 1 for score in found.scores)


def test_equal_models_are_one_for_a_process_and_have_a_revision(folder):
    one, other, exact = (
        BlipModule(model_path=str(folder), blip_model_name="blip", dtype=dtype)
        for dtype in ("float16", "float16", "float32")
    )
    assert one.key == other.key != exact.key
    assert re.fullmatch("[0-9a-f]{16}", one.revision)
    assert repr(one).startswith("BlipModule(model_path=")
    with pytest.raises(RuntimeError, match="setup"):
        one.preprocess(FRAMES[0])


def test_a_text_that_is_not_unicode_is_an_error(folder):
    module = blip(folder)
    with pytest.raises(InvalidTextError, match="half of a surrogate pair"):
        module.predict_step([module.preprocess(FRAMES[0])], ["\ud800"])


def test_no_model_names_the_parameter(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"rerank 'blip'\): there is no config.json"):
        blip(tmp_path)


def test_a_revision_that_cannot_be_read_names_the_parameter(tmp_path, monkeypatch):
    save_random_blip(tmp_path / "blip")
    (tmp_path / "blip" / "model.safetensors").unlink()
    (tmp_path / "blip" / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(
        ModelError, match="as an image-text model: model.safetensors.index.json does"
    ):
        _ = BlipModule(model_path=str(tmp_path), blip_model_name="blip").revision
    monkeypatch.setattr("spark_keyframes.clip.revision.model_file", no_answer)
    with pytest.raises(ModelNotFoundError, match="check rerank and the network"):
        _ = BlipModule(model_path="", blip_model_name="someone/blip").revision


def no_answer(source, name, *, local):
    raise OSError("no answer")


def test_another_model_is_refused(tmp_path):
    save_random_clip(tmp_path / "clip")
    with pytest.raises(ModelError, match="model_type 'clip'; rerank takes a BlipForImageTextRetri"):
        blip(tmp_path, "clip")


def test_code_of_the_model_s_own_is_refused(folder, tmp_path):
    own = shutil.copytree(folder / "blip", tmp_path / "blip")
    settings = json.loads((own / "config.json").read_text())
    settings["auto_map"] = {"AutoModel": "own.Model"}
    (own / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError, match=r"own \(auto_map\), which is never run; rerank takes"):
        blip(tmp_path)


def test_a_blip_without_the_head_is_refused(tmp_path):
    from transformers import BlipConfig, BlipModel

    folder = save_random_blip(tmp_path / "blip")
    BlipModel(BlipConfig.from_pretrained(folder)).save_pretrained(folder)
    with pytest.raises(ModelError, match="lack .* tensors of a BLIP model .*BlipForImageTextRetri"):
        blip(tmp_path)


def test_settings_of_another_size_are_refused(tmp_path):
    folder = save_random_blip(tmp_path / "blip")
    BlipImageProcessor(size={"height": 96, "width": 96}).save_pretrained(folder)
    with pytest.raises(ModelError, match="squashes to 96 pixels, but the model sees 64"):
        blip(tmp_path)


def test_a_tokenizer_of_another_model_is_refused(tmp_path):
    folder = save_random_blip(tmp_path / "blip")
    settings = json.loads((folder / "config.json").read_text())
    settings["text_config"]["vocab_size"] = 30
    (folder / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError, match="do not fit its config.json"):
        blip(tmp_path)


def test_loading_says_how_it_runs(folder, caplog):
    with caplog.at_level(logging.INFO, "spark_keyframes"):
        blip(folder, dtype="float16")
    assert "on cpu: dtype float16 runs as float32" in caplog.text
