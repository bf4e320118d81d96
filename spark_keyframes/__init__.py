"""Keyframes that match a text, spread over the video, on Spark, pandas and Daft.

Names that need Spark are imported when first used: without pyspark, all others work.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from spark_keyframes.account import Account
from spark_keyframes.callbacks import ContactSheets, RateLimit
from spark_keyframes.engine import Callback
from spark_keyframes.errors import KeyframesError, ParameterError
from spark_keyframes.html import show_keyframes
from spark_keyframes.images import rgb_array, to_pil
from spark_keyframes.imports import require
from spark_keyframes.limits import Limits
from spark_keyframes.made_by import __version__
from spark_keyframes.matcher import BlipModule
from spark_keyframes.module import ClipModule, EmbeddingModule, KeyframesModule
from spark_keyframes.result import Answers, Candidates, Failure, Keyframes
from spark_keyframes.sampler import VideoAdaptiveKeyframesSampling
from spark_keyframes.selection import Selector
from spark_keyframes.storage import Access
from spark_keyframes.video import CentreCrop

if TYPE_CHECKING:
    from spark_keyframes.spark.candidates_source import KeyframeCandidates
    from spark_keyframes.spark.explode import explode_keyframes
    from spark_keyframes.spark.monitoring.metrics import metrics, report_lines
    from spark_keyframes.spark.monitoring.progress import progress

__all__ = [
    "Access",
    "Account",
    "Answers",
    "BlipModule",
    "Callback",
    "Candidates",
    "CentreCrop",
    "ClipModule",
    "ContactSheets",
    "EmbeddingModule",
    "Failure",
    "KeyframeCandidates",
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
    "show_keyframes",
    "to_pil",
]

_OF_SPARK = {
    "KeyframeCandidates": "spark.candidates_source",
    "explode_keyframes": "spark.explode",
    "metrics": "spark.monitoring.metrics",
    "progress": "spark.monitoring.progress",
    "report_lines": "spark.monitoring.metrics",
}

if find_spec("pyspark") is None:
    # So that `import *`, help() and inspect work: they get each name of these.
    __all__ = [name for name in __all__ if name not in _OF_SPARK]

if not TYPE_CHECKING:  # a type checker would take any name for one of this package

    def __getattr__(name: str) -> Any:
        if name not in _OF_SPARK:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        require("pyspark", f"{__name__}.{name}")
        found = globals()[name] = getattr(import_module(f"{__name__}.{_OF_SPARK[name]}"), name)
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
