"""Pipelines of the small CLIP, and callbacks that tests watch them with."""

import pytest
import torch

from spark_keyframes.engine import Callback, Request
from spark_keyframes.module import ClipModule

CPU = torch.device("cpu")


class Watched(ClipModule):
    """A module that remembers the batches it scored."""

    key = None  # set up anew for each run

    def __init__(self, **parameters):
        super().__init__(**parameters)
        self.batches = []

    def predict_step(self, inputs, texts, *, exact=False):
        self.batches.append((len(inputs), sorted(set(texts)), exact))
        return super().predict_step(inputs, texts, exact=exact)


def run(pipeline, videos, text="spoon", **options):
    requests = [Request(video=None if v is None else str(v), text=text) for v in videos]
    return list(pipeline.run(requests, device=CPU, **options))


class Gate(Callback):
    """Calls a function with each video's name before it is opened."""

    def __init__(self, function):
        self.on_video_start = lambda source, text: function(source)


def same(left, right):
    assert left.frame_ids == right.frame_ids
    # A frame's score depends on its batch in the last bits only.
    assert left.scores == pytest.approx(right.scores, abs=1e-6)
