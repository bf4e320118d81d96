"""The methods for pandas, and what they share with `transform` of Spark's DataFrames."""

import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, get_args

from spark_keyframes.arrow.batches import error_of_row, sample_batches
from spark_keyframes.arrow.columns import AddedColumns, Columns, Wanted, plan_columns
from spark_keyframes.arrow.pandas_frames import sample_frame
from spark_keyframes.checks import check_choice, check_type
from spark_keyframes.engine import Pipeline, resolve_device
from spark_keyframes.errors import ParameterError
from spark_keyframes.imports import require
from spark_keyframes.index_methods import IndexMethods
from spark_keyframes.module import is_cosine
from spark_keyframes.result import ImagesAs, OnError, VideoFailedError
from spark_keyframes.runner import NO_TEXT

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyspark.sql.types import StructType


class ColumnOptions(TypedDict, total=False):
    """The keywords of `transform`, without the resources of Spark's tasks."""

    input_col: str
    output_col: str
    text_col: str | None
    start_col: str | None
    end_col: str | None
    error_col: str | None
    account_col: str | None
    timestamps_col: str | None
    curve_col: str | None
    made_by_col: str | None
    candidates_col: str | None
    info_col: str
    images: ImagesAs
    on_error: OnError
    keep_video: bool


def is_pandas(frame: object) -> bool:
    """Return whether this is a DataFrame of pandas, without importing it."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(frame, pandas.DataFrame)


@dataclass(frozen=True, kw_only=True, repr=False)
class PandasMethods(IndexMethods):
    """Samples DataFrames of pandas; a base of `VideoAdaptiveKeyframesSampling`."""

    def map_in_pandas(
        self, *, schema: "StructType | None" = None, **options: Unpack[ColumnOptions]
    ) -> "Callable[[Iterable[pd.DataFrame]], Iterator[pd.DataFrame]]":
        """Return a function for `DataFrame.mapInPandas` that does what `transform` does.

            result = df.mapInPandas(
                sampler.map_in_pandas(schema=df.schema, error_col="error"),
                sampler.result_schema(df.schema, error_col="error"),
            )

        Prefer `transform`: it never converts other columns. Of these, mapInPandas changes some:
        see docs/pandas.md.

        Args:
            schema: `df.schema`. With it, only integers are taken for integers; without it, floats
                that may have been integers are refused too.
            **options: those of `transform`, but for `cpus` and `gpus`: `mapInPandas` takes a
                `profile`. Names of columns have the case that the DataFrame has.

        Raises:
            ParameterError: as from `transform`; but what is wrong with a column is an error of the
                job, unless `result_schema` has found it. In the job: mapInPandas has changed a
                bigint, because there are nulls beside it.
            MissingPackageError: pyspark is not installed.
            BucketNotFoundError, ModelNotFoundError, CredentialsError, StorageWriteError: as from
                `transform`.
        """
        require("pyspark", "map_in_pandas()")
        from spark_keyframes.spark.columns import check_schema
        from spark_keyframes.spark.interpreter import shipped
        from spark_keyframes.spark.monitoring.video_counter import video_counter
        from spark_keyframes.spark.pandas_stage import PandasStage, whole_columns
        from spark_keyframes.spark.resources import task_resources
        from spark_keyframes.spark.versions import active_session

        if schema is not None:
            check_schema(schema)
        wanted, pipeline = self._plan_transform(**options)
        spark = active_session()
        self._check_for_workers(spark)
        return shipped(
            PandasStage(
                pipeline,
                wanted,
                options.get("on_error", "null"),
                None if schema is None else whole_columns(schema),
                task_resources(spark).tasks_at_once if spark else 1,
                video_counter(spark) if spark else None,
            )
        )

    def result_schema(self, schema: "StructType", **options: Unpack[ColumnOptions]) -> "StructType":
        """Return the schema of what `map_in_pandas` gives for a DataFrame of this schema.

        Args:
            schema: `df.schema`.
            **options: as in `map_in_pandas`.

        Raises:
            ParameterError: a column is missing, of the wrong type, or exists already.
            MissingPackageError: pyspark is not installed.
        """
        require("pyspark", "result_schema()")
        from spark_keyframes.spark.columns import check_schema, result_schema

        check_schema(schema)
        wanted, _ = self._plan_transform(**options)
        types = [(field.name, field.dataType.simpleString()) for field in schema.fields]
        return result_schema(schema, plan_columns(types, wanted))

    def _transform_pandas(
        self, frame: Any, wanted: Wanted, pipeline: Pipeline, *, on_error: OnError
    ) -> "pd.DataFrame":
        """Return the rows with the columns that the pipeline adds, sampled in this process."""

        def sampled(
            batches: "Iterable[tuple[pa.RecordBatch, Columns]]",
        ) -> "Generator[pa.RecordBatch]":
            device, stop = resolve_device(rank=self.rank), on_error == "raise"
            run = partial(pipeline.run, device=device, stop_on_failure=stop)
            return sample_batches(batches, pipeline, run)

        try:
            return sample_frame(frame, wanted, sampled)
        except VideoFailedError as failed:
            # From None: the cause may show a URL with its signature.
            raise error_of_row(failed) from None

    def _plan_transform(
        self,
        *,
        input_col: str = "video",
        output_col: str = "keyframes",
        text_col: str | None = None,
        start_col: str | None = None,
        end_col: str | None = None,
        error_col: str | None = None,
        account_col: str | None = None,
        timestamps_col: str | None = None,
        curve_col: str | None = None,
        made_by_col: str | None = None,
        candidates_col: str | None = None,
        info_col: str = "index_info",
        images: ImagesAs = "arrays",
        on_error: OnError = "null",
        keep_video: bool = False,
    ) -> tuple[Wanted, Pipeline]:
        """Return the columns and the pipeline of `transform`; check what needs no row."""
        check_choice("on_error", on_error, get_args(OnError))
        check_choice("images", images, get_args(ImagesAs))
        needed = {"input_col": input_col, "output_col": output_col, "info_col": info_col}
        optional = {
            "text_col": text_col,
            "start_col": start_col,
            "end_col": end_col,
            "error_col": error_col,
            "account_col": account_col,
            "timestamps_col": timestamps_col,
            "curve_col": curve_col,
            "made_by_col": made_by_col,
            "candidates_col": candidates_col,
        }
        for name, value in (needed | optional).items():
            if value is not None or name in needed:
                check_type(name, value, str, "the name of a column, as a string")
        if candidates_col is not None:
            self._check_embeddings("candidates_col")
            module = self.make_module()
            if not is_cosine(module) and not self.make_selector().needs_embeddings:
                raise ParameterError(
                    f"candidates_col would make the scores cosines, and {type(module).__name__} "
                    "overrides predict_step; call transform() without it, and index() beside it"
                )
        if text_col is None:
            self._warn_of_no_text(self.text, f"set text, text_col for a text per row, {NO_TEXT}")
        wanted = Wanted(
            input=input_col,
            text=text_col,
            start=start_col,
            end=end_col,
            added=AddedColumns(
                output=output_col,
                images=f"{output_col}_images" if self.return_keyframes else None,
                images_as=images,
                timestamps=timestamps_col,
                curve=curve_col,
                error=error_col,
                account=account_col,
                made_by=made_by_col,
                candidates=candidates_col,
                info=info_col if candidates_col else None,
            ),
            video_src_type=self.video_src_type,
            keep_video=keep_video,
        )
        pipeline = replace(
            self._pipeline(self._writer_anywhere()),
            images_as=images,
            embeddings=candidates_col is not None,
        )
        return wanted, pipeline
