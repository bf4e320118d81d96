"""What a job says when it breaks: one line, and the remedy where one is known."""

from itertools import pairwise

import pytest
from pyspark.errors import IllegalArgumentException, PythonException

from spark_keyframes.jobs.sample import SampleOptions
from spark_keyframes.jobs.session import run_job


class JavaError(Exception):
    """As py4j raises it: `java_exception` is the object of the JVM."""

    def __init__(self, *texts):
        super().__init__("An error occurred while calling o12.load.\n\tat a.b(C.java:1)\n" * 30)
        chain = [Throwable(text) for text in texts]
        for outer, inner in pairwise(chain):
            outer.cause = inner
        self.java_exception = chain[0]


class Throwable:
    def __init__(self, text):
        self.text, self.cause = text, None

    def getCause(self):  # noqa: N802 - Java's name
        return self.cause

    def toString(self):  # noqa: N802
        return self.text


WORKER = """  Traceback (most recent call last):
    File "/x.py", line 12, in <module>
      import av
  ModuleNotFoundError: No module named 'av'
PYTHONPATH was:
  /x
"""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            JavaError(
                "java.io.IOException: x", 'a.b.Unsupported: No FileSystem for scheme "s3"\nat'
            ),
            'the job failed: a.b.Unsupported: No FileSystem for scheme "s3"; Spark lacks the '
            "package for it: for S3, write s3a:// and add",
        ),
        (
            IllegalArgumentException("java.net.UnknownHostException: nohost\n\tat a.b.C"),
            "the job failed: java.net.UnknownHostException: nohost; correct the name of the host",
        ),
        (JavaError("a.b.Strange: what\n\tat a.b"), "the job failed: a.b.Strange: what"),
        (
            PythonException("Traceback\n  File x\nspark_keyframes.errors.ModelError: no weights\n"),
            "the job failed: ModelError: no weights",
        ),
        (
            JavaError("a.b.SparkException: \nError from python worker:\n" + WORKER),
            "the job failed: ModuleNotFoundError: No module named 'av'; the Python of the",
        ),
        (
            JavaError("a.b.RuntimeException: file:/v/a.mp4 is not a Parquet file. Expected"),
            "the job failed: a.b.RuntimeException: file:/v/a.mp4 is not a Parquet file. Expected; "
            "--input must be a table here",
        ),
    ],
)
def test_an_error_of_spark_is_one_line(monkeypatch, capsys, error, said):
    def fail(spark, options):
        raise error

    monkeypatch.setattr("spark_keyframes.jobs.session.start_spark", Session)
    assert run_job("sample.py", fail, SampleOptions(input="x")) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"sample.py: {said}")


@pytest.mark.parametrize("kind", [PythonException, JavaError])
def test_an_index_of_another_model_is_a_wrong_option(monkeypatch, capsys, kind):
    def fail(spark, options):
        trace = "Traceback (most recent call last):\n  File x\n"
        raise kind(f"{trace}spark_keyframes.errors.IndexMismatchError: made by 'a', not 'b'\n")

    monkeypatch.setattr("spark_keyframes.jobs.session.start_spark", Session)
    assert run_job("search.py", fail, SampleOptions(input="x")) == 2
    assert capsys.readouterr().err == "search.py: made by 'a', not 'b'\n"


class Session:
    def stop(self):
        pass
