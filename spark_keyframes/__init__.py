"""Keyframes that match a text, spread over the video, on Spark."""

from spark_keyframes.account import Account
from spark_keyframes.callbacks import ContactSheets, RateLimit
from spark_keyframes.engine import Callback
from spark_keyframes.errors import KeyframesError, ParameterError
from spark_keyframes.images import rgb_array, to_pil
from spark_keyframes.limits import Limits
from spark_keyframes.made_by import __version__
from spark_keyframes.matcher import BlipModule
from spark_keyframes.module import ClipModule, EmbeddingModule, KeyframesModule
from spark_keyframes.result import Answers, Candidates, Failure, Keyframes
from spark_keyframes.sampler import VideoAdaptiveKeyframesSampling
from spark_keyframes.selection import Selector
from spark_keyframes.spark.explode import explode_keyframes
from spark_keyframes.spark.monitoring.metrics import metrics, report_lines
from spark_keyframes.spark.monitoring.progress import progress
from spark_keyframes.storage import Access

__all__ = [
    "Access",
    "Account",
    "Answers",
    "BlipModule",
    "Callback",
    "Candidates",
    "ClipModule",
    "ContactSheets",
    "EmbeddingModule",
    "Failure",
    "Keyframes",
    "KeyframesError",
    "KeyframesModule",
    "Limits",
    "ParameterError",
    "RateLimit",
    "Selector",
    "VideoAdaptiveKeyframesSampling",
    "__version__",
    "explode_keyframes",
    "metrics",
    "progress",
    "report_lines",
    "rgb_array",
    "to_pil",
]
