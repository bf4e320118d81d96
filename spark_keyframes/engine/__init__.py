"""Runs a module over a stream of requests, in one process."""

from spark_keyframes.callback import Callback
from spark_keyframes.device import resolve_device, task_cpus
from spark_keyframes.engine.pipeline import Pipeline
from spark_keyframes.engine.request import Outcome, Request
from spark_keyframes.images.writer import ImageWriter

__all__ = [
    "Callback",
    "ImageWriter",
    "Outcome",
    "Pipeline",
    "Request",
    "resolve_device",
    "task_cpus",
]
