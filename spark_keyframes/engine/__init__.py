"""Runs a module over a stream of rows: in one process, and on Spark."""

from spark_keyframes.engine.device import resolve_device, task_cpus
from spark_keyframes.engine.image_writer import ImageWriter
from spark_keyframes.engine.pipeline import Outcome, Pipeline
from spark_keyframes.engine.task import Request

__all__ = ["ImageWriter", "Outcome", "Pipeline", "Request", "resolve_device", "task_cpus"]
