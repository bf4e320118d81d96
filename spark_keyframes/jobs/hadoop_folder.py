"""A folder on any file system of Hadoop's, for a driver with a JVM of its own."""

import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class HadoopFolder:
    """Small files in a folder; it need not exist.

    Args:
        spark: a classic session.
        place: path or URL of the folder's parent.
        name: of the folder.
    """

    def __init__(self, spark: "SparkSession", place: str, name: str) -> None:
        # Any: py4j creates these attributes from Java's names.
        context: Any = spark.sparkContext
        self._java: Any = context._jvm
        self._folder = self._java.org.apache.hadoop.fs.Path(place, name)
        self._files = self._folder.getFileSystem(context._jsc.hadoopConfiguration())

    def names(self) -> list[str]:
        """Return the names of the files."""
        if not self._files.exists(self._folder):
            return []
        return [file.getPath().getName() for file in self._files.listStatus(self._folder)]

    def exists(self, name: str) -> bool:
        """Return whether there is such a file."""
        return bool(self._files.exists(self._path(name)))

    def read(self, name: str) -> str:
        """Return the text of a file."""
        stream = self._files.open(self._path(name))
        try:
            text = self._java.org.apache.commons.io.IOUtils.toString(stream, "UTF-8")
        finally:
            stream.close()
        return str(text)

    def write(self, name: str, text: str) -> None:
        """Write a file; other programs see all of it or nothing."""
        temporary = self._path(f".{name}-{uuid.uuid4().hex}")
        stream = self._files.create(temporary, True)
        stream.write(bytearray(text.encode()))
        stream.close()
        self._files.rename(temporary, self._path(name))

    def create(self, name: str) -> None:
        """Create an empty file."""
        self._files.create(self._path(name), True).close()

    def delete(self, name: str) -> None:
        """Delete a file, where it exists."""
        self._files.delete(self._path(name), False)

    def _path(self, name: str) -> Any:
        return self._java.org.apache.hadoop.fs.Path(self._folder, name)
