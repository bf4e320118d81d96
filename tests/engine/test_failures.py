"""Failures by stage and kind, and how many are too many."""

import pytest
from pyspark.sql import Observation

from spark_keyframes import ParameterError
from spark_keyframes.engine.failures import (
    MaxFailures,
    TooManyFailuresError,
    failure_lines,
    failure_metrics,
)
from spark_keyframes.schema import ERROR_DDL


def observed(spark, rows):
    seen = Observation()
    frame = spark.createDataFrame([(row,) for row in rows], f"why struct<{ERROR_DDL}>")
    frame.repartition(3).observe(seen, *failure_metrics("why")).collect()
    return failure_lines(seen.get)


def test_a_line_for_each_stage_and_kind_with_its_number_and_an_example(spark):
    rows = [("open", "CredentialsError", f"no key to read {n}") for n in range(3)]
    rows += [("upload", "CredentialsError", "no key to write")] * 2
    rows += [("decode", "ZeroDivisionError", "of no kind that this package knows")]
    rows += [None] * 5
    assert observed(spark, rows) == [
        "failed     3 at stage open, e.g. CredentialsError: no key to read 0",
        "failed     2 at stage upload, e.g. CredentialsError: no key to write",
        "failed     1 at stage decode, e.g. ZeroDivisionError: of no kind that this package knows",
    ]


def test_kinds_that_are_not_known_are_counted_by_their_names(spark):
    rows = [("decode", f"Strange{n:02}Error", "odd") for n in range(60) for _ in range(n + 1)]
    lines = observed(spark, rows)
    assert len(lines) == 60
    assert lines[0].startswith("failed     60 at stage decode, e.g. Strange59Error")
    assert lines[-1].startswith("failed     1 at stage decode, e.g. Strange00Error")


def test_no_failure_is_no_line(spark):
    assert observed(spark, [None, None]) == []
    assert observed(spark, []) == []


@pytest.mark.parametrize(
    ("most", "failed", "done", "fine"),
    [
        ("0", 0, 10, True),
        ("0", 1, 10, False),
        ("10", 10, 0, True),
        ("10", 11, 1000, False),
        ("5%", 5, 95, True),
        ("5%", 6, 94, False),
        ("2.5 %", 1, 39, True),
        ("0%", 0, 0, True),
        ("100%", 9, 0, True),
    ],
)
def test_how_many_are_too_many(most, failed, done, fine):
    allowed = MaxFailures.parse(most)
    if fine:
        allowed.check(failed, done)
    else:
        with pytest.raises(TooManyFailuresError, match=f"^{failed} of {failed + done} videos"):
            allowed.check(failed, done)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "%", "101%", "nan%", "1e3%", "ten"])
def test_what_is_no_number_of_failures(text):
    with pytest.raises(ParameterError, match=r"--max-failures must be .* use e\.g\. 10 or 5%"):
        MaxFailures.parse(text)
