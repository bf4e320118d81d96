"""One row per keyframe, instead of one per video."""

from typing import TYPE_CHECKING

from spark_keyframes.errors import ParameterError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FRAME_COLUMNS = ("frame_index", "frame_id", "score", "tos_path", "image")


def explode_keyframes(result: "DataFrame", *, output_col: str = "keyframes") -> "DataFrame":
    """One row per keyframe, of what `transform` gave with one row per video.

    Arguments:
        result: the DataFrame, or a part of it. Of a stream too.
        output_col: as it was for `transform`.

    Returns: the other columns, repeated in each row of a video, and after them `frame_index int`
    (from 0, in the order of the frames), `frame_id bigint`, `score float`, `tos_path string` (null
    without `output_tos_dir`) and, where the images are, `image` in Spark's image schema. A video
    without keyframes, such as one that failed, keeps one row, in which these are null: its error
    is beside them, where `transform` was given `error_col`.

    Raises ParameterError: `output_col` is missing, or a column has one of these names.
    """
    from pyspark.sql import functions as sf

    names = {name.lower(): name for name in result.columns}
    if output_col.lower() not in names:
        raise ParameterError(
            f"output_col {output_col!r} is not a column of the DataFrame; "
            f"it has {', '.join(result.columns)}"
        )
    images_col = names.get(f"{output_col}_images".lower())
    gone = {output_col.lower(), f"{output_col}_images".lower()}
    added = FRAME_COLUMNS if images_col else FRAME_COLUMNS[:-1]
    if taken := [name for name in added if name in names.keys() - gone]:
        raise ParameterError(
            f"the DataFrame has a column called {taken[0]!r}, as one of the keyframe's is; "
            "rename or drop it first"
        )
    keyframes = sf.col(f"`{output_col}`")
    lists = [keyframes["frame_ids"], keyframes["scores"], keyframes["tos_paths"]]
    if images_col:
        lists.append(sf.col(f"`{images_col}`"))
    frames = sf.arrays_zip(*(part.alias(f"f{i}") for i, part in enumerate(lists)))
    others = [sf.col(f"`{names[name]}`") for name in names if name not in gone]
    frame = sf.col("frame")
    return result.select(*others, sf.posexplode_outer(frames).alias("frame_index", "frame")).select(
        *others,
        "frame_index",
        *(frame[f"f{i}"].alias(name) for i, name in enumerate(added[1:])),
    )
