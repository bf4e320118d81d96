"""The default model: in its folder, or in the cache of the Hugging Face Hub, not downloaded."""

import os
from contextlib import suppress
from pathlib import Path

from spark_keyframes.doctor.finding import Finding, good, note
from spark_keyframes.parameters import Parameters
from spark_keyframes.redaction import redact_url

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_SECONDS = 5.0
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


def default_model(name: str) -> Finding:
    """Say whether a model would be found, downloaded, or neither."""
    folder = Path(Parameters.model_path, name)
    if Path(folder, "config.json").is_file():
        return good("model", f"{folder} is there, where model_path looks by default; not loaded")
    if all(_is_cached(name, files) for files in (("config.json",), _WEIGHTS)):
        return good("model", f'{name} is in the cache of the Hugging Face Hub, for model_path=""')
    advice = (
        "give a folder as --model-path, or set HF_ENDPOINT to a mirror; the demo's model needs "
        "no network"
    )
    if offline := next((name for name in _OFFLINE if _is_set(name)), ""):
        return note("model", f"{name} is not in the cache, and {offline} forbids its download",
                    f"unset {offline}, or give a folder as --model-path")  # fmt: skip
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    shown = redact_url(endpoint)
    if reason := _refusal(endpoint):
        return note(
            "model", f"{name} is not in the cache, and {shown} does not answer: {reason}", advice
        )
    return note(
        "model",
        f'{name} is not in the cache: with model_path="", the first use downloads 600 MB from '
        f"{shown}",
        "look at your own model with --model-path and --clip-model-name",
    )


def _is_set(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in ("1", "true", "yes", "on")


def _is_cached(name: str, files: tuple[str, ...]) -> bool:
    from huggingface_hub import try_to_load_from_cache

    with suppress(ValueError):  # the name is none of the Hub
        return any(isinstance(try_to_load_from_cache(name, file), str) for file in files)
    return False


def _refusal(endpoint: str) -> str:
    """Return why the server does not answer; "" where it does, whatever the answer."""
    import requests

    from spark_keyframes.error_chain import root_cause

    try:
        requests.head(endpoint, timeout=_SECONDS, allow_redirects=False)
    except (requests.RequestException, ValueError) as error:
        return root_cause(error)
    return ""
