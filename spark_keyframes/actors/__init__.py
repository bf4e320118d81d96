"""What the actors of Daft need of their machine: CPUs, GPUs, and a way for their log."""

from spark_keyframes.actors.log import log_address, log_level, log_to
from spark_keyframes.actors.resources import ActorResources

__all__ = ["ActorResources", "log_address", "log_level", "log_to"]
