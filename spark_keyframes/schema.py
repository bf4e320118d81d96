"""The types of the result columns, for Spark and for Arrow.

pyspark and pyarrow are imported inside the functions, so that `sample()` works without Spark.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from spark_keyframes.account import account_columns
from spark_keyframes.index_info import index_info_columns
from spark_keyframes.made_by import made_by_columns

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql.types import DataType

KEYFRAMES_DDL = "tos_paths array<string>, frame_ids array<bigint>, scores array<float>"
"""The documented result. The three lists are aligned and ordered by frame id."""

IMAGE_DDL = "origin string, height int, width int, nChannels int, mode int, data binary"
"""Spark's image schema, `pyspark.ml.image.ImageSchema.columnSchema`. `data` is BGR, row-wise."""

ERROR_DDL = "stage string, error string, message string"
"""Why a row has no keyframes. See `spark_keyframes.errors`."""

ACCOUNT_DDL = ", ".join(f"{name} {kind}" for name, (kind, _) in account_columns().items())
"""What a row took: the fields of spark_keyframes.Account, flat."""


MADE_BY_DDL = ", ".join(f"{name} {kind}" for name, (kind, _) in made_by_columns().items())
"""What made the result: the fields of spark_keyframes.made_by.MadeBy."""


CURVE_DDL = "timestamps array<double>, scores array<float>"
"""The score curve: of all candidates that were scored, in order of presentation. The two lists
are aligned."""

CANDIDATES_DDL = "frame_id bigint, timestamp double, embedding array<float>"
"""A candidate of an index. The embedding has length 1."""

FRAME_COLUMNS = {
    "path": "string",
    "frame_id": "bigint",
    "timestamp": "double",
    "is_keyframe_packet": "boolean",
}
"""The columns of the data source of frames, without `image` and `error`."""

INDEX_INFO_DDL = ", ".join(f"{name} {kind}" for name, (kind, _) in index_info_columns().items())
"""How an index was made: the fields of spark_keyframes.index_info.IndexInfo."""


def spark_type(ddl: str) -> "DataType":
    """Return the Spark type of `struct<…>` with one of the fields above, or of an array of it."""
    from pyspark.sql.types import (
        ArrayType,
        BinaryType,
        BooleanType,
        DoubleType,
        FloatType,
        IntegerType,
        LongType,
        StringType,
        StructType,
    )

    # StructType.fromDDL needs a running Spark session, which a worker does not have.
    types: dict[str, DataType] = {
        "string": StringType(),
        "int": IntegerType(),
        "bigint": LongType(),
        "float": FloatType(),
        "double": DoubleType(),
        "binary": BinaryType(),
        "boolean": BooleanType(),
    }
    if element := _inside("array", ddl):
        return ArrayType(spark_type(element))
    if not _inside("struct", ddl):
        return types[ddl]
    struct = StructType()
    for name, kind in struct_fields(ddl):
        struct = struct.add(name, spark_type(kind))
    return struct


def arrow_type(ddl: str) -> "pa.DataType":
    """Return the Arrow type of `struct<…>` with one of the fields above, or of an array of it."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "int": pa.int32(),
        "bigint": pa.int64(),
        "float": pa.float32(),
        "double": pa.float64(),
        "binary": pa.binary(),
        "boolean": pa.bool_(),
    }
    if element := _inside("array", ddl):
        return pa.list_(arrow_type(element))
    if not _inside("struct", ddl):
        return types[ddl]
    return pa.struct([pa.field(name, arrow_type(kind)) for name, kind in struct_fields(ddl)])


def struct_fields(ddl: str) -> Iterator[tuple[str, str]]:
    """Yield the names and types of a struct whose own fields are no structs."""
    for field in _inside("struct", ddl).split(", "):
        name, kind = field.split(" ")
        yield name, kind


def _inside(kind: str, ddl: str) -> str:
    """Return what is between the brackets of `kind<…>`; "" for another kind."""
    return ddl[len(kind) + 1 : -1] if ddl.startswith(f"{kind}<") else ""
