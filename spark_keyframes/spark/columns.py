"""Checks on the driver which columns the Spark stage reads and writes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from spark_keyframes.arrow.columns import Columns, Wanted, plan_columns
from spark_keyframes.checks import check_type
from spark_keyframes.errors import ParameterError
from spark_keyframes.schema import spark_type
from spark_keyframes.spark.versions import arrow_refusal

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import StructType


def result_schema(schema: "StructType", columns: Columns) -> "StructType":
    """Return the fields that pass through, and then those of the result."""
    from pyspark.sql.types import StructType

    result = StructType([schema[name] for name in columns.passed])
    for name, ddl in columns.added.types.items():
        result = result.add(name, spark_type(ddl))
    return result


def check_schema(schema: Any) -> None:
    """Raise ParameterError unless this is the schema of a DataFrame of Spark."""
    from pyspark.sql.types import StructType

    check_type("schema", schema, StructType, "a StructType, as df.schema is")


def check_dataframe(
    rows: Any, name: str = "videos", *, or_pandas: bool = False, remedy: str = ""
) -> None:
    """Raise ParameterError unless `rows`, the argument `name`, is a DataFrame of Spark.

    Args:
        rows: the argument.
        name: of the argument.
        or_pandas: whether the message says that one of pandas is taken too.
        remedy: what to do instead; by default, how to make a DataFrame of other data.
    """
    if not hasattr(rows, "mapInArrow"):
        kind = f"{type(rows).__module__.partition('.')[0]}.{type(rows).__name__}"
        wanted, conversion = "Spark", f"use spark.createDataFrame({name}) for one of pandas"
        if or_pandas:
            wanted, conversion = "Spark or pandas", "convert it, as by to_pandas() or to_frame()"
        others = "sample() for single videos" if name == "videos" else "spark.read for a table"
        remedy = remedy or f"{conversion}, or use {others}"
        raise ParameterError(f"{name} must be a DataFrame of {wanted}, got {kind}; {remedy}")


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


def plan_dataframe(rows: "DataFrame", wanted: Wanted) -> Columns:
    """Check the columns before any task runs.

    Raises:
        ParameterError: a column is missing, has a wrong type, or exists already; or Spark cannot
            pass it to Python.
    """
    types = [(field.name, field.dataType.simpleString()) for field in rows.schema.fields]
    columns = plan_columns(types, wanted, key=name_key(rows.sparkSession))
    for field in rows.schema.fields:
        if refusal := arrow_refusal(field.dataType):
            raise ParameterError(
                f"column {field.name!r} is of type {field.dataType.simpleString()}, which Spark "
                f"cannot pass to Python ({refusal}); drop it, or cast it, e.g. to string"
            )
    return columns
