"""Compares a job with the table that it adds rows to: both have score curves, or neither has."""

from typing import TYPE_CHECKING

from spark_keyframes.errors import ParameterError
from spark_keyframes.jobs.table import Table
from spark_keyframes.schema import CURVE_DDL, spark_type
from spark_keyframes.spark.columns import name_key

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType


def check_curve_column(
    curve_col: str | None, stored: "StructType", table: Table, videos: "DataFrame"
) -> None:
    """Raise ParameterError where only one of the job and its table has score curves.

    Args:
        curve_col: of the job; None: it has none.
        stored: the columns of the table.
        table: that the job adds rows to.
        videos: the job's. A column that they bring along is not lacking.
    """
    key = name_key(videos.sparkSession)
    types = {key(field.name): field.dataType.simpleString() for field in stored.fields}
    one = spark_type(f"struct<{CURVE_DDL}>").simpleString()
    curves = (one, f"array<{one}>")
    if curve_col is not None and types.get(key(curve_col)) not in curves:
        raise ParameterError(
            f"{table} has no score curves in a column {curve_col!r}, and its rows would lack them; "
            "leave `curve_col` out, or use another table"
        )
    passed = set(map(key, videos.columns))
    found = [name for name, kind in types.items() if kind in curves and name not in passed]
    if found and curve_col is None:
        raise ParameterError(
            f"{table} has score curves in the column {found[0]!r}, which new rows would lack; give "
            "`curve_col`, or use another table"
        )
