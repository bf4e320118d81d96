"""Says what is wrong with the files of a model that could not be loaded."""

import json
import zipfile
from pathlib import Path

_LFS = b"version https://git-lfs.github.com/spec/"


def damage_of(folder: Path) -> str:
    """Return which file of a model's folder is at fault and what to do, or "" if none shows it."""
    weights = [*sorted(folder.glob("*.safetensors")), *sorted(folder.glob("*.bin"))]
    for path in [*weights, *sorted(folder.glob("*.json")), *sorted(folder.glob("*.txt"))]:
        if path.is_file() and (what := _damage_of_file(path)):
            return f"{path.name} {what}"
    return ""


def _damage_of_file(path: Path) -> str:
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(len(_LFS)) == _LFS:
            return "is a Git LFS pointer, not the file itself; run `git lfs pull` in its repository"
    if size == 0:
        return "is empty; copy it again"
    by_suffix = {
        ".safetensors": _damage_of_safetensors,
        ".bin": _damage_of_pickle,
        ".json": _damage_of_json,
    }
    return by_suffix[path.suffix](path) if path.suffix in by_suffix else ""


def _damage_of_pickle(path: Path) -> str:
    if not zipfile.is_zipfile(path):
        return (
            "is cut off, or a pickle that PyTorch did not write; copy it again, or convert it by "
            "model.save_pretrained(folder), which writes model.safetensors"
        )
    return (
        "holds more than weights, and could run code; convert it by "
        "model.save_pretrained(folder), which writes model.safetensors"
    )


def _damage_of_safetensors(path: Path) -> str:
    """The format: the header's length in 8 bytes, a header in JSON, the tensors."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        whole = 8 + length
        if whole <= size:
            try:
                header = json.loads(file.read(length))
                ends = [entry["data_offsets"][1] for entry in header.values() if "dtype" in entry]
            except (ValueError, LookupError, TypeError, AttributeError):
                return "is no safetensors file; copy it again"
            whole += max(ends, default=0)
    return f"is cut off, it has {size} of {whole} bytes; copy it again" if size < whole else ""


def _damage_of_json(path: Path) -> str:
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return "is not valid JSON, or cut off; copy it again"
    if not isinstance(content, dict):
        return "is not a JSON object; copy it again"
    if path.name.endswith(".index.json") and not isinstance(content.get("weight_map"), dict):
        return "does not say which file holds which weights (weight_map); copy it again"
    if quantised := content.get("quantization_config"):
        method = quantised.get("quant_method") if isinstance(quantised, dict) else quantised
        return f"asks for weights quantised by {method}; use a checkpoint that is not quantised"
    return ""
