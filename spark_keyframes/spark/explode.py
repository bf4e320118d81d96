"""Turns a result with one row per video into one row per keyframe."""

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import uuid4

from spark_keyframes.errors import ParameterError
from spark_keyframes.spark.columns import check_dataframe, column, name_key, place_in

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

FRAME_COLUMNS = ("frame_index", "frame_id", "score", "tos_path", "timestamp", "image")


def explode_keyframes(
    result: "DataFrame",
    *,
    output_col: str = "keyframes",
    timestamps_col: str = "timestamps",
    text_col: str = "text",
) -> "DataFrame":
    """Return one row per keyframe from a result of `transform`.

        frames = explode_keyframes(sampler.transform(videos, error_col="error"))

    Args:
        result: a result of `transform`, or some of its rows or columns. Batch or streaming.
        output_col: as in `transform`.
        timestamps_col: as in `transform`; the result need not have it.
        text_col: as in `transform`, where that is a column of several texts.

    Returns:
        The other columns, repeated for each keyframe of a video, and then:

        - `text_index int`, `text string`: only with several texts: its position, from 0, and the
          text;
        - `frame_index int`: the position among the keyframes of the video, from 0;
        - `frame_id bigint`: the number of the frame in the video, from 0;
        - `score float`: the cosine similarity to the text;
        - `tos_path string`: where the image is; null without `output_tos_dir`;
        - `timestamp double`: seconds from the start of the video; only with `timestamps_col`;
        - `image`: in Spark's image schema, or binary with `images="encoded"`; only with
          `return_keyframes=True`.

        A video without keyframes, such as a failed one, keeps one row, and so does a text. These
        columns are null in it, and `error_col`, where there is one, has the reason.

    Raises:
        ParameterError: `result` is no DataFrame of Spark, `output_col` is missing, or a column has
            one of these names already.
    """
    check_dataframe(result, "result", remedy="it is what transform() returns for one of Spark")
    from pyspark.sql import functions as sf
    from pyspark.sql.types import ArrayType

    key = name_key(result.sparkSession)
    names = {key(name): name for name in result.columns}
    if key(output_col) not in names:
        raise ParameterError(
            f"output_col {output_col!r} is not a column of the DataFrame; "
            f"it has {', '.join(result.columns)}"
        )
    types = {key(field.name): field.dataType for field in result.schema.fields}
    if isinstance(types[key(output_col)], ArrayType):
        one = _row_per_text(result, names, key, (output_col, timestamps_col, text_col))
        return explode_keyframes(one, output_col=output_col, timestamps_col=timestamps_col)
    keyframes = column(output_col)
    lists = {
        "frame_id": keyframes["frame_ids"],
        "score": keyframes["scores"],
        "tos_path": keyframes["tos_paths"],
    }
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


def _row_per_text(
    result: "DataFrame",
    names: dict[str, str],
    key: Callable[[str], str],
    columns: tuple[str, str, str],
) -> "DataFrame":
    """Return one row per text, with the columns of a result for a single text."""
    from pyspark.sql import functions as sf

    output_col, timestamps_col, text_col = columns
    if key(text_col) not in names:
        raise ParameterError(
            f"the result is of several texts, and text_col {text_col!r} is not a column of the "
            f"DataFrame; give the column of texts: it has {', '.join(result.columns)}"
        )
    if taken := [
        name for name in ("text_index", "text") if key(name) in names.keys() - {key(text_col)}
    ]:
        raise ParameterError(
            f"the DataFrame has a column called {taken[0]!r}, as one of the text's is; "
            "rename or drop it first"
        )
    number, answer, union = (f"{name}_{uuid4().hex}" for name in ("number", "answer", "union"))
    # Without a result there are the texts still, unless they are null too.
    counted = sf.coalesce(
        column(output_col), sf.transform(column(text_col), lambda _: sf.lit(None))
    )
    # The frame ids of the images. A null text has none, and flatten() gives null for it.
    given = sf.filter(column(output_col)["frame_ids"], lambda ids: ids.isNotNull())
    ids = sf.array_sort(sf.array_distinct(sf.flatten(given)))
    rows = result.select("*", ids.alias(union), sf.posexplode_outer(counted).alias(number, answer))
    place = sf.col(number) + 1

    def of_text(name: str) -> "Column":
        here = column(names[name])
        if name == key(output_col):
            return sf.col(answer)
        if name == key(timestamps_col):
            return sf.element_at(here, place)
        if name == key(f"{output_col}_images"):
            return sf.transform(
                sf.col(answer)["frame_ids"],
                lambda frame_id: sf.element_at(here, place_in(sf.col(union), frame_id).cast("int")),
            )
        return here

    return rows.select(
        *(of_text(name).alias(names[name]) for name in names if name != key("text")),
        sf.col(number).alias("text_index"),
        sf.element_at(column(names[key(text_col)]), place).alias("text"),
    )
