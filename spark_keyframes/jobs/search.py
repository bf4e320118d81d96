"""Finds the moments of an index that match a text: the job of jobs/search.py."""

from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pyspark.sql import DataFrame, Row, SparkSession

from spark_keyframes.errors import ParameterError
from spark_keyframes.images.keys import safe_stem
from spark_keyframes.index import Question
from spark_keyframes.jobs.inputs import read_table
from spark_keyframes.jobs.job import Job
from spark_keyframes.jobs.moments import Moment, moment_lines
from spark_keyframes.jobs.open_frames import FrameOpener
from spark_keyframes.jobs.option_groups import QUESTION
from spark_keyframes.jobs.options import INPUT, RESULT, JobOptions, about
from spark_keyframes.jobs.row_maker import kept
from spark_keyframes.jobs.session import set_where_unset
from spark_keyframes.jobs.table import Table
from spark_keyframes.redaction import redact_url
from spark_keyframes.spark.columns import actual_name, column

_STREAM = "spark_keyframes_video_stream"

# By default Spark's reader of Parquet holds 4096 rows at once, or a row group. With the large row
# groups of other writers, that is more than the memory of an executor.
_READING = {"spark.sql.parquet.columnarReaderBatchSize": "16"}


@dataclass(frozen=True, kw_only=True)
class SearchOptions(JobOptions):
    """Options of jobs/search.py."""

    not_offered: ClassVar[tuple[str, ...]] = (
        *("video_src_type", "video_format", "video_stream", "fps", "max_num_frames", "t1", "t2"),
        *("all_depth", "diversity", "max_similarity", "rerank", "rerank_candidates"),
        *("selector", "scan", "scan_budget", "output_tos_dir", "return_keyframes"),
        *("batch_size", "callbacks"),
    )

    input: str = field(
        metadata=about(
            "The index: a table that the job index wrote, or another job with `candidates_col`.",
            INPUT,
            "WHERE",
        )
    )
    input_col: str = field(
        default="video",
        metadata=about("The index's column with the path or URL of each video.", INPUT, "NAME"),
    )
    candidates_col: str = field(
        default="candidates", metadata=about("The index's column of candidates.", INPUT, "NAME")
    )
    info_col: str = field(
        default="index_info",
        metadata=about("The index's column for how it was made.", INPUT, "NAME"),
    )
    limit: int = field(
        default=20, metadata=about("The number of moments, for each text.", QUESTION)
    )
    per_video: int | None = field(
        default=None,
        metadata=about("The most moments of one video. Default: any number.", QUESTION),
    )
    min_gap: float = field(
        default=2.0,
        metadata=about(
            "Frames of a video that are less than this many seconds from a better one are the same "
            "moment. 0: each frame is one.",
            QUESTION,
            "SECONDS",
        ),
    )
    mode: Literal["error", "overwrite", "append"] = field(
        default="error", metadata=about("What to do where the table exists already.", RESULT)
    )
    open_frames: str | None = field(
        default=None,
        metadata=about(
            "Decode the frames that were found, and store their images in this folder, as "
            "`img_type`: a local one, tos://, or a scheme of fsspec.",
            RESULT,
            "FOLDER",
        ),
    )
    texts: tuple[str, ...] = ()
    """Several texts instead of `text`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        # A variable of a shell that is not set gives a text that is empty.
        if not all(text.strip() for text in self.asked):
            raise ParameterError("`text` is required: what to search for, not an empty text")
        Question(self.asked, self.limit, self.per_video, self.min_gap)

    @property
    def asked(self) -> list[str]:
        """The texts to search for, each once."""
        return list(dict.fromkeys(self.texts)) or [self.sampler.text]


def run(spark: SparkSession, options: SearchOptions) -> int:
    """Search, print and write what was found, and return the exit code.

    Raises:
        ParameterError: an option that cannot work with this index, table or Spark.
        IndexMismatchError: the index was made by another model.
    """
    set_where_unset(spark, _READING)
    table = _table(options)
    if table and options.mode == "error" and table.exists(spark):
        raise ParameterError(
            f"{table} already exists; choose another place, or `mode` overwrite or append"
        )
    index = read_table(spark, options.input, options.input_format)
    if table:
        _check_keeps(index, table)
    video_col = actual_name(index, options.input_col)
    opener = None
    if options.open_frames is not None:
        if video_col not in index.columns:
            raise ParameterError(
                f"`open_frames` needs the videos, and the index has no column "
                f"{options.input_col!r}; give `input_col`, or leave `open_frames` out"
            )
        opener = FrameOpener(options.sampler, options.open_frames)
    found = _search(index, options)
    if table is None:
        rows = found.collect()
    else:
        with kept(found) as kept_rows:
            rows = kept_rows.collect()
            table.save(kept_rows.drop(_STREAM), options.mode)
    moments = _moments(rows, video_col, options)
    images = opener.open(moments) if opener else {}
    print(*moment_lines(moments, options.asked, images), sep="\n")
    print(f"index      {_described(index, options)}")
    stored = sum(isinstance(image, str) for image in images.values())
    if options.open_frames is not None:
        print(f"images     {stored} of {len(moments)} stored: {redact_url(options.open_frames)}")
    print(f"table      {table or 'not written, without output'}")
    return 1 if images and not stored else 0


def _table(options: SearchOptions) -> Table | None:
    if not options.has_table:
        return None
    return Table(
        place=options.output or options.output_table or "",
        named=options.output_table is not None,
        format=options.format,
        options=options.writer_options,
    )


def _check_keeps(index: DataFrame, table: Table) -> None:
    """Raise ParameterError where the table of moments would replace the index, or add to it."""
    stored = table.read(index.sparkSession, index.schema)
    if stored is not None and set(stored.inputFiles()) & set(index.inputFiles()):
        raise ParameterError(f"{table} is the index; choose another place for the moments")


def _search(index: DataFrame, options: SearchOptions) -> DataFrame:
    """Return the moments, with the video stream that was indexed."""
    if options.open_frames is not None:
        stream = column(actual_name(index, options.info_col))["video_stream"]
        index = index.withColumn(_STREAM, stream)
    return options.sampler.search(
        index,
        text=options.asked if options.texts else None,
        limit=options.limit,
        per_video=options.per_video,
        min_gap=options.min_gap,
        candidates_col=options.candidates_col,
        info_col=options.info_col,
        cpus=options.cpus,
        gpus=options.gpus,
    )


def _moments(rows: list[Row], video_col: str, options: SearchOptions) -> list[Moment]:
    texts, ranks = options.asked, Counter[str]()
    found = []
    for row in rows:
        values = row.asDict()
        text = values["text"] if options.texts else options.sampler.text
        ranks[text] += 1
        # Other texts may be the same in the name of a folder.
        folder = f"{texts.index(text) + 1}-{safe_stem(text)}" if len(texts) > 1 else ""
        found.append(
            Moment(
                text=text,
                rank=ranks[text],
                score=values["score"],
                timestamp=values["timestamp"],
                frame_id=values["frame_id"],
                video=values.get(video_col),
                video_stream=values.get(_STREAM),
                folder=folder,
            )
        )
    return found


def _described(index: DataFrame, options: SearchOptions) -> str:
    """Say how many videos the index has, and how many of them were not searched."""
    from pyspark.sql import functions as sf

    # Parquet reads this one field, and no candidates.
    model = column(actual_name(index, options.info_col))["model"]
    count, searched = index.agg(sf.count(sf.lit(1)), sf.count(model)).first() or (0, 0)
    without = f", {count - searched} of them without candidates" if count > searched else ""
    return f"{redact_url(options.input)}: {count} videos{without}"


JOB = Job(
    name="search",
    script="search.py",
    options=SearchOptions,
    run=run,
    description="Find the moments of many videos that match a text, in an index that the job index "
    "made. No video is decoded for that.",
    examples=('--input out/index --text "a red car" --limit 10 --open-frames out/frames',),
    common=(
        *("input", "text", "limit", "per_video", "min_gap", "open_frames"),
        *("output", "model_path", "clip_model_name"),
    ),
)
main, parse_options = JOB.main, JOB.parse_options
