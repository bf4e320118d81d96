"""A table that is looked at before it is published."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from spark_keyframes.errors import ParameterError
from spark_keyframes.storage import redact_url

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@contextlib.contextmanager
def staging_place(spark: "SparkSession", output: str, *, must_be_new: bool) -> Iterator[str]:
    """A place beside `output` for a table that is not to be seen yet, removed at the end.

    A folder whose name begins with a dot, which Spark and Hadoop take for no data. It is removed
    whatever happens, but for a driver that is killed: then `.<name of output>-<32 digits>` stays,
    and may be deleted.

    A rename to `output` in the end would be cheaper than to copy the table, but object stores have
    none, and a table format such as Delta would not know of the files.

    Arguments:
        spark: a session with a JVM, as spark-submit gives it: Spark Connect has no file system.
        output: where the table is to be published.
        must_be_new: nothing may be there yet. Said now and not at the end, hours later.

    Raises ParameterError: something is there, `output` is at the root of its file system, or the
    session is one of Spark Connect.
    """
    shown = redact_url(output)
    try:
        # Typed by nothing: py4j makes these up from Java's names.
        context: Any = spark.sparkContext
        java: Any = context._jvm
    except Exception as error:
        raise ParameterError(
            "--max-failures needs a session with a driver of its own, and this is Spark Connect; "
            "use spark-submit, or leave --max-failures out"
        ) from error
    path = java.org.apache.hadoop.fs.Path(output)
    files = path.getFileSystem(context._jsc.hadoopConfiguration())
    if must_be_new and files.exists(path):
        raise ParameterError(
            f"--output {shown} already exists; choose another place, or --mode overwrite or append"
        )
    parent = path.getParent()
    if parent is None:
        raise ParameterError(
            f"--max-failures needs room beside --output, and {shown} is a root; "
            "give a folder below it"
        )
    place = java.org.apache.hadoop.fs.Path(parent, f".{path.getName()}-{uuid4().hex}")
    try:
        # One level down: of a hidden folder itself, Spark warns that it is not read.
        yield java.org.apache.hadoop.fs.Path(place, "table").toString()
    finally:
        files.delete(place, True)
