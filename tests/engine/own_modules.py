"""A module that needs no model, and pipelines of it."""

import torch

from spark_keyframes import (
    KeyframesModule,
    VideoAdaptiveKeyframesSampling,
)
from spark_keyframes.engine import Pipeline, Request
from tests.video.clips import number_in

CPU = torch.device("cpu")


class FrameNumber(KeyframesModule):
    """Scores each frame by the number that is drawn on it."""

    def preprocess(self, rgb):
        return number_in(rgb)

    def predict_step(self, inputs, texts):
        return inputs


def sampler(module, **parameters):
    given = {"fps": 5, "max_num_frames": 4, "selector": "top", "return_keyframes": False}
    return VideoAdaptiveKeyframesSampling(module=module, **(given | parameters))


def run(of, videos, **options):
    pipeline = Pipeline(of.make_module(), of, **options)
    requests = [Request(str(video), text) for video, text in videos]
    return list(pipeline.run(requests, device=CPU))
