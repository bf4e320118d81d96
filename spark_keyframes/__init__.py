"""Keyframes that match a text, spread over the video, on Spark."""

from spark_keyframes.errors import KeyframesError, ParameterError
from spark_keyframes.result import Account, Candidates, Keyframes
from spark_keyframes.sampler import VideoAdaptiveKeyframesSampling

__all__ = [
    "Account",
    "Candidates",
    "Keyframes",
    "KeyframesError",
    "ParameterError",
    "VideoAdaptiveKeyframesSampling",
]
