"""Makes the index of many videos, to be asked as often as you like: the job of jobs/index.py."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from pyspark.sql import SparkSession

from spark_keyframes.errors import ParameterError
from spark_keyframes.jobs.batch import BatchOptions, read_batch, run_batch
from spark_keyframes.jobs.earlier_index import (
    check_index_columns,
    check_no_keyframes,
    check_same_index,
)
from spark_keyframes.jobs.earlier_rows import check_window_columns
from spark_keyframes.jobs.job import Job
from spark_keyframes.jobs.options import RESULT, about
from spark_keyframes.jobs.row_maker import RowMaker
from spark_keyframes.jobs.table import Table
from spark_keyframes.spark.columns import column

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import StructType

_COUNT = "spark_keyframes_candidates"


@dataclass(frozen=True, kw_only=True)
class IndexOptions(BatchOptions):
    """Options of jobs/index.py."""

    not_offered: ClassVar[tuple[str, ...]] = (
        *("text", "max_num_frames", "min_score", "t1", "t2", "all_depth", "diversity"),
        *("min_gap", "max_similarity", "selector", "rerank", "rerank_candidates"),
        *("scan", "scan_budget", "img_type", "output_tos_dir", "return_keyframes"),
    )

    candidates_col: str = field(
        default="candidates",
        metadata=about("The column of the candidates and their embeddings.", RESULT, "NAME"),
    )
    info_col: str = field(
        default="index_info",
        metadata=about(
            "The column for how the index was made. `resume` compares it.", RESULT, "NAME"
        ),
    )

    def __post_init__(self) -> None:
        if not self.has_table:
            raise ParameterError("`output` or `output_table` is required: where to write the index")
        super().__post_init__()


class IndexRows(RowMaker):
    """Indexes videos: a row for each."""

    options: IndexOptions

    @property
    def output_col(self) -> str:
        """Implement `RowMaker.output_col`."""
        return self.options.candidates_col

    @property
    def result_cols(self) -> list[str]:
        """Implement `RowMaker.result_cols`."""
        return [self.options.candidates_col, self.options.info_col]

    def fit(self, stored: "StructType", table: Table, videos: "DataFrame") -> None:
        """Implement `RowMaker.fit`."""
        options, spark = self.options, videos.sparkSession
        check_window_columns(options, stored, table, spark)
        check_index_columns(
            stored, table, spark, candidates_col=options.candidates_col, info_col=options.info_col
        )
        check_no_keyframes(stored, table, videos)

    def check_earlier(self, tables: "Sequence[DataFrame]") -> None:
        """Implement `RowMaker.check_earlier`."""
        check_same_index(self.options.sampler, self.options.info_col, tables)

    def shown(self, rows: "DataFrame") -> "list[Column]":
        """Implement `RowMaker.shown`."""
        from pyspark.sql import functions as sf

        # Of the candidates, Parquet reads the frame ids alone.
        count = sf.array_size(column(self.options.candidates_col)["frame_id"])
        wanted = {self.video_col, self.options.error_col}
        return [count.alias(_COUNT), *(column(name) for name in rows.columns if name in wanted)]

    def text_of(self, row: dict[str, Any]) -> str | None:
        """Implement `RowMaker.text_of`."""
        return None if row[_COUNT] is None else f"{row[_COUNT]} candidates"

    def _made(self, videos: "DataFrame", account_col: str) -> "tuple[DataFrame, dict[str, Any]]":
        options = self.options
        indexed = options.sampler.index(
            videos,
            input_col=self.video_col,
            start_col=options.start_col,
            end_col=options.end_col,
            candidates_col=options.candidates_col,
            info_col=options.info_col,
            error_col=options.error_col,
            account_col=account_col,
            on_error=options.on_error,
            cpus=options.cpus,
            gpus=options.gpus,
        )
        return indexed, {"output_col": None, "candidates_col": options.candidates_col}


def run(spark: SparkSession, options: IndexOptions) -> int:
    """Index the videos, write and print the result, and return the exit code.

    Raises:
        ParameterError: an option that cannot work with this input, table or Spark.
        TooManyFailuresError: more videos failed than `max_failures` allows.
    """
    videos, video_col = read_batch(spark, options)
    return run_batch(spark, videos, IndexRows(options, video_col), options)


JOB = Job(
    name="index",
    script="index.py",
    options=IndexOptions,
    run=run,
    description="Decode videos once, and keep the embeddings of their candidate frames, to ask for "
    "keyframes and moments later: by the job search, or by sampler.transform_index.",
    examples=("--input videos/ --output out/index --resume",),
    common=(
        *("input", "output", "resume", "mode", "limit", "dry_run", "fps", "model_path"),
        *("clip_model_name", "max_failures"),
    ),
)
main, parse_options = JOB.main, JOB.parse_options
