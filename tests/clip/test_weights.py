"""The weights in memory are the file's own pages: read when needed, shared between processes."""

from pathlib import Path

import pytest
import torch

from spark_keyframes.clip import load_clip

pytestmark = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc")


def mapping_of(address):
    """Permissions and file of the memory at an address."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        bounds, permissions, _, _, _, *file = line.split(maxsplit=5)
        begin, end = (int(bound, 16) for bound in bounds.split("-"))
        if begin <= address < end:
            return permissions, *file
    raise AssertionError(f"nothing is mapped at {address:#x}")


def test_weights_are_mapped_from_the_file_and_what_is_written_to_them_stays_here(models):
    clip = load_clip(str(models), "small", device=torch.device("cpu"), dtype="float32")
    file = models / "small" / "model.safetensors"
    weight = clip._model.text_model.embeddings.token_embedding.weight
    permissions, mapped = mapping_of(weight.data_ptr())
    assert mapped == str(file)
    assert permissions.endswith("p"), "private: a page that is written to is copied first"
