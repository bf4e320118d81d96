"""Fixtures of the engine's tests."""

from dataclasses import fields

import pytest

from spark_keyframes.engine import Pipeline
from spark_keyframes.parameters import Parameters
from tests.engine.pipelines import Watched


@pytest.fixture
def pipeline(models):
    """Makes a pipeline of the small CLIP, from parameters of the operator and of Pipeline."""

    def make(kind=Watched, **given):
        given = {"text": "spoon", "fps": 5.0, "max_num_frames": 4, "dtype": "float32"} | given
        given = {"model_path": str(models), "clip_model_name": "small"} | given
        names = {field.name for field in fields(Parameters)}
        parameters = Parameters(**{name: given.pop(name) for name in names & given.keys()})
        model = ("model_path", "clip_model_name", "dtype")
        module = kind(**{name: getattr(parameters, name) for name in model})
        return Pipeline(module, parameters, **given)

    return make


@pytest.fixture
def bfloat16(monkeypatch):
    """Lets float16 compute in bfloat16 on any CPU, by transformers: packed weights need AVX512."""
    monkeypatch.setattr("spark_keyframes.clip.precision.cpu_multiplies_bfloat16", lambda: True)
    monkeypatch.setattr("spark_keyframes.clip.packed_tower.can_pack", lambda model: False)
