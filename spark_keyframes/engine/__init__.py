"""Runs a module over a stream of requests, in one process."""

from spark_keyframes.engine.callbacks import Callback
from spark_keyframes.engine.device import resolve_device, task_cpus
from spark_keyframes.engine.image_writer import ImageWriter
from spark_keyframes.engine.pipeline import Outcome, Pipeline
from spark_keyframes.engine.task import Request

__all__ = [
    "Callback",
    "ImageWriter",
    "Outcome",
    "Pipeline",
    "Request",
    "resolve_device",
    "task_cpus",
]
