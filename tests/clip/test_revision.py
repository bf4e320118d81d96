"""A model's revision: what is loaded changes it, and nothing else does."""

import json
import shutil

import pytest

from spark_keyframes.clip import model_revision
from spark_keyframes.errors import ModelError, ModelNotFoundError


@pytest.fixture
def revision(models, tmp_path):
    """A copy of the small model, and a function that gives its revision."""
    folder = shutil.copytree(models / "small", tmp_path / "here" / "copy")
    return folder, lambda: model_revision(str(tmp_path / "here"), "copy")


def test_a_copy_has_the_same_and_other_files_do_not_matter(models, revision):
    folder, of_copy = revision
    first = of_copy()
    assert len(first) == 16
    assert first == model_revision(str(models), "small")
    (folder / "README.md").write_text("about it")
    (folder / "tf_model.h5").write_bytes(b"weights of another framework")
    assert of_copy() == first


@pytest.mark.parametrize(
    "name", ["model.safetensors", "tokenizer.json", "config.json", "preprocessor_config.json"]
)
def test_each_file_that_is_loaded_matters(revision, name):
    folder, of_copy = revision
    first = of_copy()
    content = bytearray((folder / name).read_bytes())
    content[-2] ^= 1
    (folder / name).write_bytes(content)
    assert of_copy() != first


def test_all_parts_of_divided_weights_matter(revision):
    folder, of_copy = revision
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").unlink()
    for number in (1, 2):
        (folder / f"part-{number}.safetensors").write_bytes(weights)
    index = {"weight_map": {"a": "part-1.safetensors", "b": "part-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    first = of_copy()
    (folder / "part-2.safetensors").write_bytes(weights + b"x")
    assert of_copy() != first


def test_what_is_missing_or_unreadable_is_an_error_of_the_model(revision, tmp_path):
    folder, of_copy = revision
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text("{")
    with pytest.raises(ModelError, match="copy"):
        of_copy()
    with pytest.raises(ModelNotFoundError, match="none"):
        model_revision(str(tmp_path), "none")


def test_the_hub_is_asked_once(models, monkeypatch):
    asked = []

    def cached_file(source, name, **_):
        asked.append((source, name))
        file = models / "small" / name
        return str(file) if file.is_file() else None

    monkeypatch.setattr("transformers.utils.cached_file", cached_file)
    first = model_revision("", "someone/small")
    assert first == model_revision(str(models), "small")
    requests = len(asked)
    assert requests > 0
    assert model_revision("", "someone/small") == first
    assert len(asked) == requests
