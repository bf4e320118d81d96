"""Keyframes that match a text, spread over the video, on Spark."""

from spark_keyframes.engine.explode import explode_keyframes
from spark_keyframes.engine.metrics import metrics, report_lines
from spark_keyframes.engine.progress import progress
from spark_keyframes.errors import KeyframesError, ParameterError
from spark_keyframes.limits import Limits
from spark_keyframes.result import Account, Candidates, Keyframes
from spark_keyframes.sampler import VideoAdaptiveKeyframesSampling
from spark_keyframes.storage import Access

__all__ = [
    "Access",
    "Account",
    "Candidates",
    "Keyframes",
    "KeyframesError",
    "Limits",
    "ParameterError",
    "VideoAdaptiveKeyframesSampling",
    "explode_keyframes",
    "metrics",
    "progress",
    "report_lines",
]
