"""The data source of frames: `spark.read.format("keyframe_candidates")`."""

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from spark_keyframes.errors import MissingPackageError, ParameterError
from spark_keyframes.listing.videos import find_videos
from spark_keyframes.schema import ERROR_DDL, FRAME_COLUMNS, IMAGE_DDL, spark_type
from spark_keyframes.spark.candidates_options import CandidatesOptions, paths_of
from spark_keyframes.spark.candidates_rows import Part, can_be_read_in_parts, frame_batches
from spark_keyframes.spark.interpreter import use_own_python

try:
    from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
except ImportError:
    import pyspark

    raise MissingPackageError(
        f"KeyframeCandidates needs the Python data sources of Spark 4.0, and this is pyspark "
        f"{pyspark.__version__}; use candidate_frames of spark_keyframes.video in a UDF of yours"
    ) from None

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql.types import StructType

_IMAGE_TYPES = {"arrays": f"struct<{IMAGE_DDL}>", "encoded": "binary"}


class KeyframeCandidates(DataSource):
    """The candidate frames of videos: a row for each frame on screen at k/fps seconds.

        spark.dataSource.register(KeyframeCandidates)
        frames = spark.read.format("keyframe_candidates").option("fps", 1).load("videos/*.mp4")

    The columns are path, frame_id, timestamp and is_keyframe_packet, and image with the option
    `image`. docs/frames.md has all options. It needs Spark 4.0 or newer.

    Args:
        options: what `option` and `load` were given.
    """

    def __init__(self, options: MutableMapping[str, str]) -> None:
        super().__init__(options)
        self._options = CandidatesOptions.of(options)
        self._paths = paths_of(options)

    @classmethod
    def name(cls) -> str:
        """Return the name for `format`; let the workers of a local session run this Python."""
        from pyspark.sql import SparkSession

        # `register` asks for the name, and then notes which Python the workers run.
        spark = SparkSession.getActiveSession()
        if spark is not None:
            use_own_python(spark)
        return "keyframe_candidates"

    def schema(self) -> "StructType":
        """Return the columns where the user gives no schema."""
        from pyspark.sql.types import StructType

        schema = StructType()
        types = _types(self._options)
        if not self._options.image:
            del types["image"]
        if self._options.on_error == "raise":
            del types["error"]
        for name, ddl in types.items():
            schema = schema.add(name, spark_type(ddl))
        return schema

    def reader(self, schema: "StructType") -> "CandidatesReader":
        """Return the reader of these columns.

        Raises:
            ParameterError: a column is unknown, or of another type.
        """
        options = self._options
        given = {field.name: field.dataType.simpleString() for field in schema.fields}
        if given.get("image") == "binary" and "images" not in self.options:
            options = replace(options, images="encoded")
        types = {name: spark_type(ddl).simpleString() for name, ddl in _types(options).items()}
        for name, kind in given.items():
            if name not in types:
                raise ParameterError(
                    f"keyframe_candidates has no column {name!r}; it has {', '.join(types)}"
                )
            if kind != types[name]:
                raise ParameterError(
                    f"the column {name} is of type {types[name]}, and the schema says {kind}; "
                    "correct it, or leave it out"
                )
        if options.image and "image" not in given:
            raise ParameterError(
                "image is true, and the schema has no column image; leave one of them out"
            )
        return CandidatesReader(options, self._paths, schema)


@dataclass
class CandidatesPartition(InputPartition):
    """What a task reads."""

    parts: list[Part]


class CandidatesReader(DataSourceReader):
    """Plans the partitions on the driver, and reads one in a task."""

    def __init__(
        self, options: CandidatesOptions, paths: Sequence[str], schema: "StructType"
    ) -> None:
        self._options = options
        self._paths = paths
        self._schema = schema

    def partitions(self) -> list[InputPartition]:
        """Return a partition for each video, or for each part of a large one.

        Places are listed, and no video is opened.
        """
        sizes: dict[str, int | None] = {}
        for path in self._paths:
            sizes |= find_videos(path, access=self._options.access, limits=self._options.limits)
        most = self._options.max_partitions
        parts = [
            Part(path, number, count)
            for path, size in sizes.items()
            for count in (self._count_of_parts(path, size),)
            for number in range(count)
        ]
        count = min(len(parts), most)
        edges = [len(parts) * number // count for number in range(count + 1)]
        return [CandidatesPartition(parts[start:stop]) for start, stop in pairwise(edges)]

    def _count_of_parts(self, path: str, size: int | None) -> int:
        if size is None or "image" not in self._schema.names or not can_be_read_in_parts(path):
            return 1
        wanted = -(-size // self._options.partition_bytes)
        return max(1, min(wanted, self._options.max_partitions))

    def read(self, partition: Any) -> "Iterator[pa.RecordBatch]":
        """Yield the frames of a partition."""
        return frame_batches(partition.parts, self._options, _arrow_schema(self._schema))


def _types(options: CandidatesOptions) -> dict[str, str]:
    """Return the type of each column that there can be."""
    return FRAME_COLUMNS | {
        "image": _IMAGE_TYPES[options.images],
        "error": f"struct<{ERROR_DDL}>",
    }


def _arrow_schema(schema: "StructType") -> "pa.Schema":
    from pyspark.sql.pandas.types import to_arrow_schema

    return to_arrow_schema(schema)
