"""The types of the result columns, for Spark and for Arrow.

pyspark and pyarrow are imported inside the functions, so that `sample()` works without Spark.
"""

from typing import TYPE_CHECKING

from spark_keyframes.account import account_columns

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql.types import StructType

KEYFRAMES_DDL = "tos_paths array<string>, frame_ids array<bigint>, scores array<float>"
"""The documented result. The three lists are aligned and ordered by frame id."""

IMAGE_DDL = "origin string, height int, width int, nChannels int, mode int, data binary"
"""Spark's image schema, `pyspark.ml.image.ImageSchema.columnSchema`. `data` is BGR, row-wise."""

ERROR_DDL = "stage string, error string, message string"
"""Why a row has no keyframes. See `spark_keyframes.errors`."""

ACCOUNT_DDL = ", ".join(f"{name} {kind}" for name, (kind, _) in account_columns().items())
"""What a row took: the fields of spark_keyframes.Account, flat."""


def spark_type(ddl: str) -> "StructType":
    """Return the Spark type of one of the DDL strings above."""
    from pyspark.sql.types import (
        ArrayType,
        BinaryType,
        DataType,
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
        "double": DoubleType(),
        "binary": BinaryType(),
        "array<string>": ArrayType(StringType()),
        "array<bigint>": ArrayType(LongType()),
        "array<float>": ArrayType(FloatType()),
    }
    struct = StructType()
    for field in ddl.split(", "):
        name, kind = field.split(" ")
        struct = struct.add(name, types[kind])
    return struct


def arrow_type(ddl: str) -> "pa.StructType":
    """Return the Arrow type of one of the DDL strings above."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "int": pa.int32(),
        "bigint": pa.int64(),
        "double": pa.float64(),
        "binary": pa.binary(),
        "array<string>": pa.list_(pa.string()),
        "array<bigint>": pa.list_(pa.int64()),
        "array<float>": pa.list_(pa.float32()),
    }
    fields = (field.split(" ") for field in ddl.split(", "))
    return pa.struct([pa.field(name, types[kind]) for name, kind in fields])
