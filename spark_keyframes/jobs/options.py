"""Options of the jobs as dataclasses; their command lines are made from the fields."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from spark_keyframes.checks import check_integer, path_text
from spark_keyframes.command import Group
from spark_keyframes.errors import ParameterError
from spark_keyframes.jobs.failure_limit import MaxFailures
from spark_keyframes.result import OnError
from spark_keyframes.sampler import VideoAdaptiveKeyframesSampling

INPUT = Group("input", "videos in")
RESULT = Group("result", "the table")
EACH_ONCE = Group("once", "each video once")
RESOURCES = Group("resources", "the resources of each task, on a cluster")

_NAMES = (
    *("made_by_col", "timestamps_col", "curve_col", "output_col", "error_col", "candidates_col"),
    "info_col",
)


def about(doc: str, group: Group, metavar: str | None = None) -> Mapping[str, Any]:
    """Return the metadata of an option's field; `name` in a doc is another option."""
    return {"doc": doc, "group": group, "metavar": metavar}


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """Options of all jobs.

    Raises:
        ParameterError: options that exclude each other, or a value out of range.
    """

    not_offered: ClassVar[tuple[str, ...]] = ()
    """Parameters of the sampler that mean nothing for this job, and are no options."""

    input: str
    """Each job says what it takes."""
    input_format: str | None = field(
        default=None,
        metadata=about(
            "The format of a table in `input`: parquet, delta, json, csv, … or 'table' for a name "
            "in the catalogue. Default: by the suffix of `input`, else parquet.",
            INPUT,
            "FORMAT",
        ),
    )
    output: str | None = field(
        default=None, metadata=about("Write the result here, as a table.", RESULT, "WHERE")
    )
    output_table: str | None = field(
        default=None,
        metadata=about("Write it to this table of the catalogue instead.", RESULT, "NAME"),
    )
    format: str = field(
        default="parquet",
        metadata=about(
            "The table's format: parquet, orc, json; with their packages delta, iceberg.",
            RESULT,
            "FORMAT",
        ),
    )
    option: Mapping[str, str] = field(
        default_factory=dict,
        metadata=about(
            "An option of Spark's writer, such as compression=zstd; may be repeated.", RESULT
        ),
    )
    cpus: int | None = field(
        default=None,
        metadata=about(
            "The CPUs of each task, to decode and score. Default: spark.task.cpus.", RESOURCES
        ),
    )
    gpus: int | None = field(
        default=None,
        metadata=about(
            "1: a GPU for each task, where executors announce theirs, see "
            "conf/spark-defaults.conf. Default: spark.task.resource.gpu.amount.",
            RESOURCES,
        ),
    )
    sampler: VideoAdaptiveKeyframesSampling = field(default_factory=VideoAdaptiveKeyframesSampling)
    """The operator, with its parameters."""
    imports: Mapping[str, Any] = field(default_factory=dict)
    """The import paths and arguments that the sampler's `module`, `selector` and `callbacks` were
    made from, where a command line gave them."""

    def __post_init__(self) -> None:
        for name in ("input", "output", "failed_output", "checkpoint", "open_frames"):
            if hasattr(self, name):
                object.__setattr__(self, name, path_text(getattr(self, name)))
        if not self.input:
            raise ParameterError("`input` is empty; give a folder, a video, a list or a table")
        for name in _NAMES:
            if getattr(self, name, None) == "":
                raise ParameterError(f"`{name}` is empty; give a name")
        if self.output and self.output_table:
            raise ParameterError("`output` and `output_table` exclude each other; leave one out")

    @property
    def writer_options(self) -> dict[str, str]:
        """The options of Spark's writer."""
        return dict(self.option)

    @property
    def has_table(self) -> bool:
        """Whether the result is written to a table."""
        return bool(self.output or self.output_table)

    def check_positive(self, name: str, hint: str) -> None:
        """Raise ParameterError unless the option is None or a whole number of at least 1."""
        value = getattr(self, name)
        if value is not None:
            check_integer(f"`{name}`", value, 1, hint)


@dataclass(frozen=True, kw_only=True)
class TableOptions(JobOptions):
    """Options of the jobs that write a row per video."""

    input_col: str | None = field(
        default=None,
        metadata=about(
            "Read tables from `input`, and the videos from this column: 'value' of text files.",
            INPUT,
            "NAME",
        ),
    )
    start_col: str | None = field(
        default=None,
        metadata=about(
            "The column with where the part to sample of each video begins, in seconds. Rows with "
            "several parts of a video are each a row of the table.",
            INPUT,
            "NAME",
        ),
    )
    end_col: str | None = field(
        default=None,
        metadata=about(
            "The column with where that part ends, in seconds. Default: at the video's end.",
            INPUT,
            "NAME",
        ),
    )
    on_error: OnError = field(default="null", init=False)
    """Fixed for a stream: an exception would end it, and end the next run at the same video."""
    dry_run: bool = field(
        default=False,
        metadata=about(
            "Write nothing: say what the job would take.",
            INPUT,
        ),
    )
    partition_by: tuple[str, ...] = field(
        default=(), metadata=about("The columns to partition the table by.", RESULT)
    )
    max_file_bytes: int = field(
        default=128 * 2**20,
        metadata=about(
            "The approximate size of the table's files; a row is never divided. 0: each task "
            "writes its own file, and no rows are moved between tasks.",
            RESULT,
        ),
    )
    error_col: str = field(
        default="error",
        metadata=about("The column with the reason of each failure.", RESULT, "NAME"),
    )
    account_col: str | None = field(
        default=None,
        metadata=about(
            "With a table: the column for the time and the frames of each video.", RESULT, "NAME"
        ),
    )
    max_failures: MaxFailures | None = field(
        default=None,
        metadata=about(
            "The number of videos that may fail, or the share (5%). With more, the job exits with "
            "3 and writes no more rows; images that are stored already stay. Default: no limit.",
            RESULT,
            "N",
        ),
    )
    id_col: tuple[str, ...] | None = field(
        default=None,
        metadata=about(
            "The columns that identify a video. Default: those of videos and, if any, of texts. "
            "`start_col` and `end_col` always belong to them.",
            EACH_ONCE,
        ),
    )
    videos_per_batch: int | None = field(
        default=None,
        metadata=about(
            "Write the table in parts of about N videos; a part that is written is not repeated.",
            EACH_ONCE,
        ),
    )
    failed_output: str | None = field(
        default=None,
        metadata=about(
            "Write failed videos to a second table here, in the same format.", EACH_ONCE, "WHERE"
        ),
    )
    retry_failed: bool = field(
        default=False, metadata=about("Try the videos in `failed_output` again.", EACH_ONCE)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.failed_output and self.failed_output == self.output:
            raise ParameterError(
                f"`failed_output` {self.failed_output} is the `output` too; give it another place"
            )
        self.check_positive("videos_per_batch", "it is the number of videos in a part")
        if self.retry_failed and not self.failed_output:
            raise ParameterError(
                "`retry_failed` needs `failed_output`: otherwise a failed video has a row in the "
                "table already, and would get a second one"
            )
        if self.failed_output and self.on_error == "raise":
            raise ParameterError(
                "`failed_output` has no effect with `on_error` raise; leave one of them out"
            )

    @property
    def window_cols(self) -> list[str]:
        """The columns that tell the parts of a video apart."""
        return [name for name in (self.start_col, self.end_col) if name]

    @property
    def holds_video_bytes(self) -> bool:
        """Whether the input's rows hold the videos themselves, not their paths or URLs."""
        return self.sampler.video_src_type != "video_url"

    def check_ids(self) -> None:
        """Raise ParameterError where nothing tells one video from another."""
        if self.holds_video_bytes and not self.id_col:
            raise ParameterError(
                f"the table does not keep a {self.sampler.video_src_type!r}, so that it cannot be "
                "told which videos it has; give `id_col`, columns whose values differ for each "
                "video"
            )
