"""Parameters with a module and callbacks, and the pipelines and stages that run them.

What needs Spark is imported by the methods that do: `sample()` works without pyspark.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from spark_keyframes.arrow.columns import Wanted
from spark_keyframes.checks import check_object
from spark_keyframes.clip import check_model_folder
from spark_keyframes.engine import Callback, ImageWriter, Pipeline
from spark_keyframes.errors import (
    BucketNotFoundError,
    CredentialsError,
    ParameterError,
    StorageWriteError,
)
from spark_keyframes.fields import documented
from spark_keyframes.matcher import BlipModule
from spark_keyframes.module import ClipModule, EmbeddingModule, KeyframesModule, is_cosine
from spark_keyframes.parameters import Parameters
from spark_keyframes.result import OnError
from spark_keyframes.storage import check_accepted, check_writable
from spark_keyframes.urls import is_local as is_local_url

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

logger = logging.getLogger("spark_keyframes")

NO_TEXT = 'or selector="summary", which needs none'
"""the advice for `text=""` where a selector chooses"""


@dataclass(frozen=True, kw_only=True, repr=False)
class Runner(Parameters):
    """Runs a module with these parameters; the base of `VideoAdaptiveKeyframesSampling`."""

    module: KeyframesModule | None = documented(
        None,
        "A KeyframesModule of your own, which scores frames against texts. It replaces CLIP: "
        "`model_path`, `clip_model_name` and `dtype`.",
        hash=False,
    )
    callbacks: Sequence[Callback] = documented(
        (),
        "Callbacks, called around each video in this order.",
        hash=False,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.module is not None:
            check_object("module", self.module, KeyframesModule)
            # `rerank` reads the others too.
            of_clip = ("model_path", "clip_model_name", "dtype")
            replaced = ("clip_model_name",) if self.rerank else of_clip
            self.check_left_at_default("module", *replaced)
        if not isinstance(self.callbacks, list | tuple):
            raise ParameterError(f"callbacks must be a list, got {self.callbacks!r}; use [...]")
        object.__setattr__(self, "callbacks", tuple(self.callbacks))
        for callback in self.callbacks:
            check_object("callbacks", callback, Callback)
        selector, module = self.make_selector(), self.make_module()
        if selector.needs_embeddings and not isinstance(module, EmbeddingModule):
            raise ParameterError(
                f"selector {type(selector).__name__} needs embeddings, and module "
                f"{type(module).__name__} gives none; use an EmbeddingModule, or another selector"
            )
        if self.max_similarity < 1 and not isinstance(module, EmbeddingModule):
            raise ParameterError(
                f"max_similarity needs embeddings, and module {type(module).__name__} gives none; "
                "use an EmbeddingModule, or min_gap"
            )
        if self.max_similarity < 1 and not (is_cosine(module) or selector.needs_embeddings):
            raise ParameterError(
                f"max_similarity would make the scores cosines, and {type(module).__name__} "
                "overrides predict_step; use min_gap"
            )

    def _repr_html_(self) -> str:
        """Show what differs from the defaults, in a notebook."""
        from spark_keyframes.html import settings_html

        return settings_html(self)

    def make_module(self) -> KeyframesModule:
        """Return `module`, or else the default one: CLIP from the documented parameters."""
        if self.module is not None:
            return self.module
        return ClipModule(
            model_path=self.model_path, clip_model_name=self.clip_model_name, dtype=self.dtype
        )

    def make_matcher(self) -> BlipModule | None:
        """Return the module that `rerank` names; None without it."""
        if not self.rerank:
            return None
        return BlipModule(model_path=self.model_path, blip_model_name=self.rerank, dtype=self.dtype)

    def _stage(
        self,
        rows: "DataFrame",
        wanted: Wanted,
        pipeline: Pipeline,
        *,
        on_error: OnError,
        cpus: int | None,
        gpus: int | None,
    ) -> "DataFrame":
        """Return the rows with the columns that the pipeline adds."""
        from spark_keyframes.spark.arrow_stage import ArrowStage
        from spark_keyframes.spark.columns import plan_dataframe, result_schema, without_names
        from spark_keyframes.spark.interpreter import shipped
        from spark_keyframes.spark.monitoring.video_counter import video_counter
        from spark_keyframes.spark.resources import task_resources
        from spark_keyframes.spark.versions import has_profiles

        columns = plan_dataframe(rows, wanted)
        spark = rows.sparkSession
        resources = task_resources(spark, cpus=cpus, gpus=gpus, profiles=has_profiles(rows))
        self._check_for_workers(spark)
        stage = ArrowStage(
            pipeline, columns, on_error, resources.tasks_at_once, video_counter(spark)
        )
        schema = result_schema(rows.schema, columns)
        if resources.profile is None:
            return without_names(rows).mapInArrow(shipped(stage), schema)
        return without_names(rows).mapInArrow(shipped(stage), schema, profile=resources.profile)

    def _warn_of_no_text(self, text: str, advice: str) -> None:
        module = self.make_matcher() or self.make_module()
        reads_text = isinstance(module, EmbeddingModule | BlipModule)
        if reads_text and not text and self.make_selector().reads_scores:
            logger.warning(
                'text is "": the frames are compared with nothing in particular; %s', advice
            )

    def _pipeline(self, writer: ImageWriter | None) -> Pipeline:
        return Pipeline(
            self.make_module(),
            self,
            callbacks=self.callbacks,
            writer=writer,
            matcher=self.make_matcher(),
        )

    def _writer(self) -> ImageWriter | None:
        return ImageWriter(self.output_tos_dir, self.img_type) if self.output_tos_dir else None

    def _writer_anywhere(self) -> ImageWriter | None:
        # A relative folder is the driver's: a worker's current folder would be lost with it.
        writer = self._writer()
        if writer is None or "://" in writer.output_dir or writer.output_dir.startswith("file:"):
            return writer
        return replace(writer, output_dir=str(Path(writer.output_dir).absolute()))

    def _check_for_workers(self, spark: "SparkSession | None") -> None:
        """Check what the workers need, as far as it is known before a task runs."""
        from spark_keyframes.spark.interpreter import is_local, use_own_python
        from spark_keyframes.spark.versions import (
            warn_of_large_batches,
            warn_of_pipelined_transfer,
        )

        if spark is not None:
            use_own_python(spark)
            warn_of_pipelined_transfer(spark)
            if self.video_src_type != "video_url":
                warn_of_large_batches(spark)
        self._check_places(same_view=spark is not None and is_local(spark))

    def _check_places(self, *, same_view: bool) -> None:
        """Check model and output folder.

        Args:
            same_view: whether workers run on this machine, and see its files and environment.
        """
        self._check_model(same_view=same_view)
        if not self.output_tos_dir:
            return
        try:
            check_writable(self.output_tos_dir)
            if same_view or not is_local_url(self.output_tos_dir):
                check_accepted(self.output_tos_dir)
        except (CredentialsError, StorageWriteError) as error:
            if same_view or isinstance(error, BucketNotFoundError):
                raise
            # The workers may have credentials and packages that the driver lacks.
            logger.warning("%s (on the driver; each task will check it again)", error)

    def _check_model(self, *, same_view: bool) -> None:
        """Raise ModelNotFoundError where this machine runs the workers, and lacks the model."""
        if same_view and self.module is None and self.model_path:
            check_model_folder(self.model_path, self.clip_model_name)
        if same_view and self.rerank and self.model_path:
            check_model_folder(self.model_path, self.rerank, parameter="rerank")


def pipeline_for_workers(runner: Runner, *, same_view: bool, text_advice: str | None) -> Pipeline:
    """Return the pipeline for workers of another engine than Spark, with the checks of the driver.

    Args:
        runner: the parameters, with module and callbacks.
        same_view: whether the workers run on this machine, and see its files and environment.
        text_advice: what to do about `text=""`; None: rows have texts of their own.

    Raises: as `VideoAdaptiveKeyframesSampling.transform`.
    """
    runner._check_places(same_view=same_view)
    if text_advice is not None:
        runner._warn_of_no_text(runner.text, f"{text_advice}, {NO_TEXT}")
    return runner._pipeline(runner._writer_anywhere())
