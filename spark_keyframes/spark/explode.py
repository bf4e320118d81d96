"""Turns a result with one row per video into one row per keyframe."""

from typing import TYPE_CHECKING
from uuid import uuid4

from spark_keyframes.errors import ParameterError
from spark_keyframes.spark.columns import column, name_key

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FRAME_COLUMNS = ("frame_index", "frame_id", "score", "tos_path", "timestamp", "image")


def explode_keyframes(
    result: "DataFrame", *, output_col: str = "keyframes", timestamps_col: str = "timestamps"
) -> "DataFrame":
    """Return one row per keyframe from a result of `transform`.

        frames = explode_keyframes(sampler.transform(videos, error_col="error"))

    Args:
        result: a result of `transform`, or some of its rows or columns. Batch or streaming.
        output_col: as in `transform`.
        timestamps_col: as in `transform`; the result need not have it.

    Returns:
        The other columns, repeated for each keyframe of a video, and then:

        - `frame_index int`: the position among the keyframes of the video, from 0;
        - `frame_id bigint`: the number of the frame in the video, from 0;
        - `score float`: the cosine similarity to the text;
        - `tos_path string`: where the image is; null without `output_tos_dir`;
        - `timestamp double`: seconds from the start of the video; only with `timestamps_col`;
        - `image`: in Spark's image schema, or binary with `images="encoded"`; only with
          `return_keyframes=True`.

        A video without keyframes, such as a failed one, keeps one row. These columns are null in
        it, and `error_col`, where there is one, has the reason.

    Raises:
        ParameterError: `output_col` is missing, or a column has one of these names already.
    """
    from pyspark.sql import functions as sf
    from pyspark.sql.types import ArrayType

    key = name_key(result.sparkSession)
    names = {key(name): name for name in result.columns}
    if key(output_col) not in names:
        raise ParameterError(
            f"output_col {output_col!r} is not a column of the DataFrame; "
            f"it has {', '.join(result.columns)}"
        )
    keyframes = column(output_col)
    lists = {
        "frame_id": keyframes["frame_ids"],
        "score": keyframes["scores"],
        "tos_path": keyframes["tos_paths"],
    }
    types = {key(field.name): field.dataType for field in result.schema.fields}
    for added, name in (("timestamp", timestamps_col), ("image", f"{output_col}_images")):
        if isinstance(types.get(key(name)), ArrayType):
            lists[added] = column(names[key(name)])
    gone = {key(output_col), key(f"{output_col}_images")}
    if "timestamp" in lists:
        gone.add(key(timestamps_col))
    if taken := [name for name in ("frame_index", *lists) if name in names.keys() - gone]:
        raise ParameterError(
            f"the DataFrame has a column called {taken[0]!r}, as one of the keyframe's is; "
            "rename or drop it first"
        )
    frames = sf.arrays_zip(*(part.alias(name) for name, part in lists.items()))
    others = [column(names[name]) for name in names if name not in gone]
    frame = f"frame_{uuid4().hex}"
    return result.select(*others, sf.posexplode_outer(frames).alias("frame_index", frame)).select(
        *others,
        "frame_index",
        *(sf.col(frame)[name].alias(name) for name in lists),
    )
