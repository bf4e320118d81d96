"""The file systems of Spark's Hadoop: which there are, and what helps where one is missing."""

import re
from typing import TYPE_CHECKING, Any

from spark_keyframes.errors import ParameterError
from spark_keyframes.redaction import redact_url
from spark_keyframes.spark.versions import is_connect

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Hadoop's form hdfs:/path, with one slash, has a scheme too.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_S3 = ("s3", "s3a", "s3n")


def has_file_system(spark: "SparkSession", location: str) -> bool:
    """Return whether Spark's Hadoop has a file system for the scheme of a URL or path.

    From then on, s3:// means the same as s3a:// where Hadoop has only the latter. Over Connect only
    the server knows, and True is returned, except for tos.
    """
    found = _SCHEME.match(location)
    if found is None:
        return True
    scheme = found[1].lower()
    if is_connect(spark):
        return scheme != "tos"
    if _class_of(spark, scheme) is not None:
        return True
    s3a = _class_of(spark, "s3a") if scheme == "s3" else None
    if s3a is not None:
        _configuration(spark).set("fs.s3.impl", s3a.getName())
    return s3a is not None


def check_file_system(
    spark: "SparkSession", option: str, location: str, *, instead: str = ""
) -> None:
    """Check that Spark can list, read and write where an option says.

    Args:
        spark: the session.
        option: its name, for the message.
        location: its value, a URL or path.
        instead: what else can be done.

    Raises:
        ParameterError: Spark lacks the package for the scheme.
    """
    if has_file_system(spark, location):
        return
    scheme = location.partition(":")[0].lower()
    raise ParameterError(
        f"`{option}` cannot be {redact_url(location)!r}: this Spark has no file system for "
        f"{scheme}://; {instead}{_remedy(spark, scheme)}"
    )


def _remedy(spark: "SparkSession", scheme: str) -> str:
    if scheme not in _S3:
        return "use a place that it reads and writes, such as hdfs://, s3a:// or a folder"
    version = "VERSION"
    if not is_connect(spark):
        context: Any = spark.sparkContext
        version = context._jvm.org.apache.hadoop.util.VersionInfo.getVersion()
    return f"add --packages org.apache.hadoop:hadoop-aws:{version} to spark-submit, for s3a://"


def _class_of(spark: "SparkSession", scheme: str) -> Any:
    """Return the Java class of a file system, or None."""
    from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]

    context: Any = spark.sparkContext
    hadoop = context._jvm.org.apache.hadoop.fs.FileSystem
    try:
        return hadoop.getFileSystemClass(scheme, _configuration(spark))
    except Py4JJavaError:
        return None  # no class is named, or the named one is not there


def _configuration(spark: "SparkSession") -> Any:
    context: Any = spark.sparkContext
    return context._jsc.hadoopConfiguration()
