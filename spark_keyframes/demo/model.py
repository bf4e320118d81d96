"""Where the demo's model is."""

import shutil
from pathlib import Path

MODELS = Path(__file__).parent
"""The value of `model_path` for the demo's model."""
MODEL = "tiny_clip"
"""The value of `clip_model_name`."""


def copy_model(folder: Path) -> Path:
    """Copy the demo's model into a folder; return the value of `model_path`, `folder`/models."""
    models = folder / "models"
    shutil.copytree(MODELS / MODEL, models / MODEL, dirs_exist_ok=True)
    return models
