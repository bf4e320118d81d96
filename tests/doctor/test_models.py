"""Models: the demo's, one of the user's, and the default one in the Hub's cache."""

import shutil

import pytest

from spark_keyframes.demo import MODEL, MODELS
from spark_keyframes.doctor import hub
from spark_keyframes.doctor.checks import demo_model
from tests.storage.web_server import without_proxies

HUB = "openai/clip-vit-base-patch32"


def test_the_demo_s_model_tells_a_spoon_from_a_clock(line):
    name, level, found, _ = line("demo_model")
    assert (name, level) == ("demo's model", "good")
    assert "scores a drawn spoon 0." in found


def test_a_demo_s_model_that_is_gone_is_bad(line, monkeypatch, tmp_path):
    monkeypatch.setattr(demo_model, "MODELS", tmp_path)
    _, level, found, advice = line("demo_model")
    assert level == "bad"
    assert "no model in" in found
    assert "reinstall" in advice


def test_a_model_that_cannot_tell_is_bad(line, monkeypatch, models):
    monkeypatch.setattr(demo_model, "MODELS", models)
    monkeypatch.setattr(demo_model, "MODEL", "small")
    assert line("demo_model")[1] == "bad"


def test_a_folder_of_the_user_s(line, models):
    name, level, found, _ = line("model", model_path=str(models), clip_model_name="small")
    assert (name, level) == ("model", "good")
    assert "small of" in found
    assert "loaded in" in found


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("config.json", None, "there is no config.json"),
        ("config.json", "{", "config.json"),
        ("model.safetensors", "no weights", "cannot be loaded as CLIP"),
        ("tokenizer.json", "{}", "cannot be loaded as CLIP"),
    ],
)
def test_a_broken_folder_is_bad(line, tmp_path, file, content, said):
    folder = tmp_path / "mine"
    shutil.copytree(MODELS / MODEL, folder)
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_text(content)
    _, level, found, advice = line("model", model_path=str(tmp_path), clip_model_name="mine")
    assert level == "bad"
    assert said in found
    assert advice


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the Hub. It returns a function that puts the model into it."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    without_proxies(monkeypatch)

    def fill(*files):
        folder = tmp_path / "models--openai--clip-vit-base-patch32"
        (folder / "refs").mkdir(parents=True, exist_ok=True)
        (folder / "refs" / "main").write_text("abc")
        (folder / "snapshots" / "abc").mkdir(parents=True, exist_ok=True)
        for name in files:
            (folder / "snapshots" / "abc" / name).touch()

    return fill


def test_the_default_model_in_the_cache_is_good(line, cache):
    cache("config.json", "pytorch_model.bin")
    assert line("model")[1:3] == (
        "good",
        f'{HUB} is in the cache of the Hugging Face Hub, for model_path=""',
    )


def test_one_that_would_be_downloaded_is_a_note(line, cache, web, monkeypatch):
    cache("config.json")  # as after a download that broke
    monkeypatch.setenv("HF_ENDPOINT", web.url)
    _, level, found, _ = line("model")
    assert level == "note"
    assert f"the first use downloads 600 MB from {web.url}" in found


def test_one_that_cannot_be_downloaded_is_a_note_that_says_why(line, cache, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://user:QZXJKVW@127.0.0.1:9")
    _, level, found, advice = line("model")
    assert level == "note"
    assert "127.0.0.1:9 does not answer: Connection refused" in found
    assert "QZXJKV" not in found
    assert "HF_ENDPOINT" in advice
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE forbids its download" in line("model")[2]


def test_the_default_model_in_its_default_folder_is_good(line, monkeypatch, tmp_path):
    monkeypatch.setattr(hub.Parameters, "model_path", str(tmp_path))
    (tmp_path / HUB).mkdir(parents=True)
    (tmp_path / HUB / "config.json").touch()
    _, level, found, _ = line("model")
    assert level == "good"
    assert found.startswith(f"{tmp_path}/{HUB} is there")
