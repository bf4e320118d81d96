"""The checkpoint of a streaming job: the settings that it belongs to, and its lock."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from spark_keyframes.errors import ParameterError
from spark_keyframes.jobs.hadoop_folder import HadoopFolder
from spark_keyframes.jobs.job_lock import job_lock
from spark_keyframes.parameters import Parameters
from spark_keyframes.redaction import redact_url
from spark_keyframes.spark.versions import is_connect

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SETTINGS = "run.json"


class Checkpoint:
    """A folder on any file system of Hadoop's.

    Args:
        spark: a session with a driver of its own.
        place: path or URL of the folder.

    Raises:
        ParameterError: the session is one of Spark Connect.
    """

    def __init__(self, spark: "SparkSession", place: str) -> None:
        self._shown = redact_url(place)
        if is_connect(spark):
            raise ParameterError(
                "a checkpoint needs a session with a driver of its own, and this is Spark Connect; "
                "use spark-submit"
            )
        self._folder = HadoopFolder(spark, place, "spark_keyframes")

    @property
    def is_new(self) -> bool:
        """Whether no run has used it yet."""
        return not self._folder.exists(_SETTINGS)

    @property
    def recorded(self) -> dict[str, Any]:
        """The settings of the first run; empty where there is none yet."""
        if self.is_new:
            return {}
        settings: dict[str, Any] = json.loads(self._folder.read(_SETTINGS))
        if "return_keyframes" in settings:
            # What it was called before, and its default.
            settings["images"] = "arrays" if settings.pop("return_keyframes") else "none"
        # An older version lacks the parameters that are newer: it sampled as their defaults do.
        newer = (each for each in fields(Parameters) if each.default is not MISSING)
        return {each.name: each.default for each in newer} | settings

    def claim(self, settings: Mapping[str, Any]) -> None:
        """Record the settings of the first run, or compare them with these.

        Args:
            settings: names and values that JSON can hold.

        Raises:
            ParameterError: a setting differs, or the checkpoint is another program's.
        """
        if not self.is_new:
            before = self.recorded
            now = json.loads(json.dumps(settings))
            for name in settings:
                # An older version lacks some settings: theirs is the default.
                if before.get(name, now[name] if now[name] == [] else None) != now[name]:
                    raise ParameterError(
                        f"the checkpoint {self._shown} belongs to a run with {name} "
                        f"{before.get(name)!r}, and this one has {now[name]!r}; use the same, or "
                        "another checkpoint and another table"
                    )
            return
        if self._folder.exists("../metadata"):
            raise ParameterError(
                f"the checkpoint {self._shown} is another program's; choose an empty folder"
            )
        self._folder.write(_SETTINGS, json.dumps(settings))

    def locked(self) -> AbstractContextManager[None]:
        """Return a context that keeps other jobs away; see `job_lock`."""
        return job_lock(self._folder, self._shown)
