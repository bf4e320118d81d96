"""Tells one version of a model from another, by the bytes of the files that are loaded."""

import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from spark_keyframes.clip.files import model_file
from spark_keyframes.clip.loading import (
    check_model_folder,
    load_preprocessor,
    model_source,
    reading,
)

_SETTINGS = ("config.json", "preprocessor_config.json", "processor_config.json")
_TOKENIZER = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "merges.txt"),
)
# Read only where there is no tokenizer.json.
_VOCABULARIES = ("vocab.txt", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model")
# In the order in which transformers looks for them: it takes the first. An index names the others.
_WEIGHTS = (
    *("model.safetensors", "model.safetensors.index.json"),
    *("pytorch_model.bin", "pytorch_model.bin.index.json"),
)
_DIGITS = 16  # hexadecimal: 64 bits, since versions of one model are few


def model_revision(
    model_path: str, clip_model_name: str, *, parameter: str = "clip_model_name"
) -> str:
    """Return a hash of a model's weights, configuration and tokenizer: 16 hexadecimal digits.

    A copy of the files elsewhere has the same. It takes half a second for ViT-B/32, and is kept as
    long as the files do not change; of a model from the Hub as long as the process lives.

    Args:
        model_path: as for `load_clip`.
        clip_model_name: as for `load_clip`. From the Hub, files that the cache lacks are
            downloaded.
        parameter: which one `clip_model_name` is, for messages.

    Raises:
        ModelNotFoundError: there is no model.
        ModelError: a file cannot be read.
    """
    if not model_path:
        return _of_hub(clip_model_name, parameter)
    check_model_folder(model_path, clip_model_name, parameter=parameter)
    return _of_source(model_source(model_path, clip_model_name), parameter, local=True)


def model_preprocessing(model_path: str, clip_model_name: str) -> str:
    """Return how frames are resized, cropped and scaled for a model, in words.

    Raises: as `model_revision`, and ModelError for steps that are not supported.
    """
    revision = model_revision(model_path, clip_model_name)
    source = model_source(model_path, clip_model_name)
    return _preprocessing(source, revision, local=bool(model_path))


@functools.lru_cache(maxsize=16)
def _preprocessing(source: str, revision: str, *, local: bool) -> str:
    """Read once per `revision`, which changes with the file."""
    return str(load_preprocessor(source, local=local))


@functools.lru_cache(maxsize=16)
def _of_hub(clip_model_name: str, parameter: str) -> str:
    """Asked once: each file takes a request to the Hub, although it is in the cache."""
    return _of_source(model_source("", clip_model_name), parameter, local=False)


def _of_source(source: str, parameter: str, *, local: bool) -> str:
    kind = "an image-text model"
    with reading("its files", source, local=local, kind=kind, parameter=parameter):
        found = sorted(_files(source, local=local))
        stats = ((name, file, file.stat()) for name, file in found)
        return _digest(
            tuple((name, file, stat.st_size, stat.st_mtime_ns) for name, file, stat in stats)
        )


def _files(source: str, *, local: bool) -> Iterator[tuple[str, Path]]:
    """Yield the names and paths of the files that are loaded."""
    has_tokenizer = model_file(source, "tokenizer.json", local=local) is not None
    for name in (*_SETTINGS, *_TOKENIZER, *(() if has_tokenizer else _VOCABULARIES)):
        if file := model_file(source, name, local=local):
            yield name, file
    for name in _WEIGHTS:
        file = model_file(source, name, local=local)
        if file is None:
            continue
        yield name, file
        if name.endswith(".json"):
            for shard in sorted(set(json.loads(file.read_text())["weight_map"].values())):
                if part := model_file(source, shard, local=local):
                    yield shard, part
        return


@functools.lru_cache(maxsize=16)
def _digest(files: tuple[tuple[str, Path, int, int], ...]) -> str:
    """Hash the files, which are new ones where a size or a time of change differs."""
    whole = hashlib.sha256()
    for name, file, *_ in files:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        whole.update(f"{name} {digest}\n".encode())
    return whole.hexdigest()[:_DIGITS]
