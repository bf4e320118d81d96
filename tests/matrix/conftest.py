"""The session of suite.py: a classic one, or one of Spark Connect.

SPARK_KEYFRAMES_REMOTE is the address of a Connect server. With it, every use of a JVM raises.
"""

import os
from importlib import import_module
from importlib.util import find_spec

import pytest

REMOTE = os.environ.get("SPARK_KEYFRAMES_REMOTE", "")


@pytest.fixture(scope="session")
def connect():
    return bool(REMOTE)


@pytest.fixture(scope="session")
def spark(request):
    if not REMOTE:
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
        session = builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
        session.sparkContext.setLogLevel("OFF")
        yield session
        session.stop()
        return
    _forbid_a_jvm()
    from pyspark.sql import SparkSession

    session = SparkSession.builder.remote(REMOTE).getOrCreate()
    yield session
    session.stop()


class JvmTouchedError(BaseException):
    """No Exception, so that no `except Exception` handles it."""


def _forbid_a_jvm():
    import pyspark
    from pyspark.sql.connect.session import SparkSession

    def forbidden(*_args, **_options):
        raise JvmTouchedError("a JVM or a SparkContext was touched")

    pyspark.SparkContext.__init__ = forbidden
    # Spark 4 has moved the context.
    for name in ("pyspark.java_gateway", "pyspark.context", "pyspark.core.context"):
        if find_spec(name.rpartition(".")[0]) and find_spec(name):
            import_module(name).launch_gateway = forbidden
    SparkSession.sparkContext = property(forbidden)
    SparkSession._jvm = SparkSession._jsparkSession = property(forbidden)
