"""Checks on the driver which columns the Spark stage reads and writes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from spark_keyframes.errors import ParameterError
from spark_keyframes.result import ImagesAs
from spark_keyframes.schema import (
    ACCOUNT_DDL,
    CANDIDATES_DDL,
    ERROR_DDL,
    IMAGE_DDL,
    INDEX_INFO_DDL,
    KEYFRAMES_DDL,
    MADE_BY_DDL,
    spark_type,
)
from spark_keyframes.spark.versions import arrow_refusal
from spark_keyframes.video import VideoSrcType

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import StructType

_NUMBERS = ("double", "float", "decimal", "int", "bigint", "smallint", "tinyint")

OnError = Literal["null", "raise"]

INDEX_TYPES = f"array<struct<{CANDIDATES_DDL}>>", f"struct<{INDEX_INFO_DDL}>"
"""The types of the two columns of an index, in SQL."""


@dataclass(frozen=True, kw_only=True)
class AddedColumns:
    """The names of the columns that `transform` adds; None: it does not add this one."""

    output: str | None = None
    images: str | None = None
    timestamps: str | None = None
    error: str | None = None
    account: str | None = None
    made_by: str | None = None
    candidates: str | None = None
    info: str | None = None
    images_as: ImagesAs = "arrays"
    """what `images` holds"""
    several: bool = False
    """whether each row has a list of texts, and a list of results"""

    @property
    def types(self) -> dict[str, str]:
        """The types in SQL by name, in the order of the result."""
        images = f"array<struct<{IMAGE_DDL}>>" if self.images_as == "arrays" else "array<binary>"
        types: dict[str | None, str] = {
            self.output: f"struct<{KEYFRAMES_DDL}>",
            self.images: images,
            self.timestamps: "array<double>",
            self.error: f"struct<{ERROR_DDL}>",
            self.account: f"struct<{ACCOUNT_DDL}>",
            self.made_by: f"struct<{MADE_BY_DDL}>",
            self.candidates: INDEX_TYPES[0],
            self.info: INDEX_TYPES[1],
        }
        if self.several:
            for name in (self.output, self.timestamps):
                types[name] = f"array<{types[name]}>"
        return {name: ddl for name, ddl in types.items() if name}

    @property
    def names(self) -> list[str]:
        """All names, twice where two of them are equal."""
        names = (self.output, self.images, self.timestamps, self.error, self.account, self.made_by)
        return [name for name in (*names, self.candidates, self.info) if name]


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The names of the columns that the stage reads and writes."""

    read: list[str]
    """all columns of the DataFrame, in order: Spark gives them to the stage without their names"""
    input: str | None
    """None: there are no videos, but their index"""
    text: str | None
    start: str | None = None
    end: str | None = None
    passed: list[str]
    """columns that pass through unchanged, in order"""
    added: AddedColumns
    index: "IndexColumns | None" = None
    """of the index that is asked; None: the videos are"""


@dataclass(frozen=True, kw_only=True)
class IndexColumns:
    """The names of the two columns of an index."""

    candidates: str
    info: str


def result_schema(schema: "StructType", columns: Columns) -> "StructType":
    """Return the fields that pass through, and then those of the result."""
    from pyspark.sql.types import StructType

    result = StructType([schema[name] for name in columns.passed])
    for name, ddl in columns.added.types.items():
        result = result.add(name, spark_type(ddl))
    return result


def check_dataframe(rows: Any, name: str = "videos") -> None:
    """Raise ParameterError unless `rows`, the argument `name`, is a DataFrame of Spark."""
    if not hasattr(rows, "mapInArrow"):
        kind = f"{type(rows).__module__.partition('.')[0]}.{type(rows).__name__}"
        others = "sample() for single videos" if name == "videos" else "spark.read for a table"
        raise ParameterError(
            f"{name} must be a DataFrame of Spark, got {kind}; use spark.createDataFrame({name}) "
            f"for one of pandas, or {others}"
        )


def column(name: str) -> "Column":
    """Return the column with exactly this name, whatever characters it has."""
    from pyspark.sql import functions as sf

    return sf.col(quoted(name))


def quoted(name: str) -> str:
    """Return the name as Spark's SQL reads it, also where it has dots or backticks."""
    escaped = name.replace("`", "``")
    return f"`{escaped}`"


def place_in(array: "Column", value: "Column") -> "Column":
    """Return the position of a value in an array, from 1; 0 where it is not in it."""
    from pyspark.sql import functions as sf

    # Before 4.0, sf.array_position takes no column for the value.
    return sf.call_function("array_position", array, value)


def actual_name(frame: "DataFrame", name: str) -> str:
    """Return the name of a column as the DataFrame has it; `name` where it has no such column."""
    key = name_key(frame.sparkSession)
    return next((each for each in frame.columns if key(each) == key(name)), name)


def name_key(spark: "SparkSession") -> Callable[[str], str]:
    """Return a function that gives the same for names that this session takes for one column."""
    # Spark ignores the case of names, unless this is set.
    sensitive = str(spark.conf.get("spark.sql.caseSensitive", "false")).lower() == "true"
    return str if sensitive else str.lower


def without_names(videos: "DataFrame") -> "DataFrame":
    """Return the same columns as c0, c1, …, for `mapInArrow`.

    Spark parses the names of its columns: it would take `a.b` for a field of a column `a`.
    """
    return videos.toDF(*(f"c{number}" for number in range(len(videos.columns))))


def plan_columns(
    videos: "DataFrame",
    *,
    input_col: str | None,
    text_col: str | None = None,
    start_col: str | None = None,
    end_col: str | None = None,
    added: AddedColumns,
    video_src_type: VideoSrcType,
    keep_video: bool,
    index: IndexColumns | None = None,
) -> Columns:
    """Check the columns before any task runs.

    Raises:
        ParameterError: a column is missing, has a wrong type, or exists already.
    """
    from pyspark.sql.types import ArrayType, StructField, StructType

    schema, key = videos.schema, name_key(videos.sparkSession)

    def named(parameter: str, name: str) -> StructField:
        found = next((field for field in schema.fields if key(field.name) == key(name)), None)
        if found is None:
            raise ParameterError(
                f"{parameter} {name!r} is not a column of the DataFrame; "
                f"it has {', '.join(schema.names) or 'none'}"
            )
        return found

    def existing(parameter: str, name: str, kinds: Sequence[str], reason: str) -> StructField:
        found = named(parameter, name)
        # The names alone: the elements of an array may be nullable or not.
        kind = found.dataType.simpleString()
        if kind.partition("(")[0] not in kinds:
            raise ParameterError(
                f"{parameter} {name!r} is of type {kind}, but {reason} {' or '.join(kinds)}; cast "
                "it, or choose another column or video_src_type"
            )
        return found

    def seconds(parameter: str, name: str | None) -> str | None:
        return name and existing(parameter, name, _NUMBERS, "seconds are").name

    expected = "binary" if video_src_type == "video_binary" else "string"
    if input_col is not None:
        input_col = existing("input_col", input_col, [expected], f"{video_src_type!r} needs").name
    start_col, end_col = seconds("start_col", start_col), seconds("end_col", end_col)
    if index is not None:
        found, info = named("candidates_col", index.candidates), named("info_col", index.info)
        kind = spark_type(INDEX_TYPES[0]).simpleString()
        if found.dataType.simpleString() != kind:
            # Not a cast: Spark casts structs by position.
            raise ParameterError(
                f"candidates_col {index.candidates!r} is of type {found.dataType.simpleString()}, "
                f"but an index has {kind}; give the column that index() made, or build the structs "
                "again by name, with transform() of Spark's functions"
            )
        if not isinstance(info.dataType, StructType) or "model" not in info.dataType.names:
            raise ParameterError(
                f"info_col {index.info!r} is of type {info.dataType.simpleString()}, but an index "
                f"has {INDEX_TYPES[1]}; give the column that index() made"
            )
        index = IndexColumns(candidates=found.name, info=info.name)
    if text_col is not None:
        found = existing("text_col", text_col, ["string", "array<string>"], "texts are")
        text_col = found.name
        added = replace(added, several=isinstance(found.dataType, ArrayType))
    passed = [
        name
        for name in schema.names
        if (name != input_col or keep_video or video_src_type == "video_url")
        and (index is None or name not in (index.candidates, index.info))
    ]
    taken = [key(name) for name in (*passed, *added.names)]
    for name in added.names:
        if taken.count(key(name)) > 1:
            raise ParameterError(
                f"the result would have two columns called {name!r}; "
                "choose another name for one, as output_col or error_col, or drop or rename the "
                "column"
            )
    read = [key(name) for name in schema.names]
    for name in schema.names:
        if read.count(key(name)) > 1:
            raise ParameterError(
                f"the DataFrame has two columns called {name!r}; drop or rename one first"
            )
        if refusal := arrow_refusal(schema[name].dataType):
            raise ParameterError(
                f"column {name!r} is of type {schema[name].dataType.simpleString()}, which Spark "
                f"cannot pass to Python ({refusal}); drop it, or cast it, e.g. to string"
            )
    return Columns(
        read=schema.names,
        input=input_col,
        text=text_col,
        start=start_col,
        end=end_col,
        passed=passed,
        added=added,
        index=index,
    )
