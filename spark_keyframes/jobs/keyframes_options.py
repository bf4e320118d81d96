"""Options of the jobs that choose keyframes."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from spark_keyframes.checks import check_choice
from spark_keyframes.errors import ParameterError
from spark_keyframes.jobs.options import INPUT, RESULT, TableOptions, about
from spark_keyframes.spark.columns import actual_name

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Images = Literal["none", "encoded", "arrays"]

_TEXTS = "text"  # the column of several texts


@dataclass(frozen=True, kw_only=True)
class KeyframesOptions(TableOptions):
    """Options of the jobs that choose keyframes, with a row per video or per keyframe."""

    text_col: str | None = field(
        default=None,
        metadata=about(
            "The column with a text per video, or an array of several, instead of `text`.",
            INPUT,
            "NAME",
        ),
    )
    key_on_text: bool = field(default=False, init=False)
    explode: bool = field(
        default=False, metadata=about("Write a row per keyframe instead of one per video.", RESULT)
    )
    output_col: str = field(
        default="keyframes", metadata=about("The column of the result.", RESULT, "NAME")
    )
    timestamps_col: str | None = field(
        default="timestamps",
        metadata=about(
            "With a table: the column for the time of each keyframe, in seconds.", RESULT, "NAME"
        ),
    )
    made_by_col: str | None = field(
        default="made_by",
        metadata=about(
            "With a table: the column for the text, the model and the settings that made each row. "
            "`resume` compares it.",
            RESULT,
            "NAME",
        ),
    )
    images: Images | None = field(
        default=None,
        metadata=about(
            "With a table: which images it holds. encoded: files of `img_type`, as array<binary>; "
            "arrays: pixels in Spark's image schema, about ten times the size. Default: what the "
            "table has already, else none.",
            RESULT,
        ),
    )
    return_keyframes: bool | None = field(
        default=None,
        metadata=about("The same as `images` arrays, and its opposite as none.", RESULT),
    )
    curve_col: str | None = field(
        default=None,
        metadata=about(
            "With a table: the column for the times and scores of all candidates of each video. "
            "Default: none.",
            RESULT,
            "NAME",
        ),
    )
    curve: bool = field(default=False, metadata=about("The same as `curve_col` curve.", RESULT))
    candidates_col: str | None = field(
        default=None,
        metadata=about(
            "With a table: the column for the index of each video, from the same decode; see "
            "the job search. Default: none.",
            RESULT,
            "NAME",
        ),
    )
    info_col: str = field(
        default="index_info",
        metadata=about(
            "With `candidates_col`: the column for how the index was made.", RESULT, "NAME"
        ),
    )
    texts: tuple[str, ...] = ()
    """Several texts instead of `text`; each video is decoded once for all. The table has them in
    its column `text`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.texts) > 1:
            if self.text_col not in (None, _TEXTS):
                raise ParameterError("several `text` and `text_col` exclude each other")
            object.__setattr__(self, "text_col", _TEXTS)
        if self.curve and self.curve_col is None:
            object.__setattr__(self, "curve_col", "curve")
        self._check_images()
        if self.explode and "maxrecordsperfile" in map(str.lower, self.option):
            raise ParameterError(
                "`option` maxRecordsPerFile would divide the keyframes of a video between files; "
                "use `max_file_bytes`"
            )
        for name, what in (("candidates_col", "index"), ("curve_col", "score curve")):
            if self.explode and getattr(self, name):
                raise ParameterError(
                    f"`{name}` is the {what} of a video, and `explode` would repeat it for each "
                    "keyframe; leave one of them out"
                )

    def _check_images(self) -> None:
        if self.return_keyframes is not None:
            images: Images = "arrays" if self.return_keyframes else "none"
            if self.images not in (None, images):
                raise ParameterError(
                    f"`return_keyframes` and its opposite stand for `images` arrays and none, and "
                    f"`images` is {self.images}; leave one of them out"
                )
            object.__setattr__(self, "images", images)
        if self.images is not None:
            check_choice("`images`", self.images, get_args(Images))

    @property
    def images_col(self) -> str:
        """The table's column of images, where it has one."""
        return "image" if self.explode else f"{self.output_col}_images"

    @property
    def writer_options(self) -> dict[str, str]:
        """The options of Spark's writer."""
        # A limit set in the session would divide a video's rows between files, see Table.
        own = {"maxRecordsPerFile": "0"} if self.explode else {}
        return own | super().writer_options

    def with_texts(self, videos: "DataFrame") -> "DataFrame":
        """Return the videos with several texts as a column, if there are several.

        Raises:
            ParameterError: the videos have a column of that name.
        """
        from pyspark.sql import functions as sf

        if len(self.texts) <= 1:
            return videos
        if actual_name(videos, _TEXTS) in videos.columns:
            raise ParameterError(
                f"several `text` become the column {_TEXTS!r}, and the input has one; rename that"
            )
        return videos.withColumn(_TEXTS, sf.array(*map(sf.lit, self.texts)))
