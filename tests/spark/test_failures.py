"""Counts of failures by stage and error class, and the limit of a job."""

import functools

import pytest
from pyspark.sql import Observation

from spark_keyframes import ParameterError
from spark_keyframes.jobs.failure_limit import MaxFailures, TooManyFailuresError
from spark_keyframes.schema import ERROR_DDL
from spark_keyframes.spark.monitoring.failures import (
    FAILURES,
    add_failures,
    failure_lines,
    failure_metrics,
)


def metrics(spark, rows):
    seen = Observation()
    frame = spark.createDataFrame([(row,) for row in rows], f"why struct<{ERROR_DDL}>")
    frame.repartition(3).observe(seen, *failure_metrics("why")).collect()
    return seen.get


def observed(spark, rows):
    return failure_lines(metrics(spark, rows))


def test_each_stage_and_error_class_has_a_line_with_its_count_and_an_example(spark):
    rows = [("open", "CredentialsError", f"no key to read {n}") for n in range(3)]
    rows += [("upload", "CredentialsError", "no key to write")] * 2
    rows += [("decode", "ZeroDivisionError", "an error of another package")]
    rows += [None] * 5
    assert observed(spark, rows) == [
        "failed     3 at stage open, e.g. CredentialsError: no key to read 0",
        "failed     2 at stage upload, e.g. CredentialsError: no key to write",
        "failed     1 at stage decode, e.g. ZeroDivisionError: an error of another package",
    ]


def test_unknown_error_classes_are_counted_by_their_stage(spark):
    rows = [("decode", f"Strange{n:02}Error", "odd") for n in range(60)]
    rows += [("elsewhere", "StrangeError", None), ("decode", "LimitError", "too long")]
    assert observed(spark, rows) == [
        "failed     60 at stage decode, e.g. Strange00Error: odd",
        "failed     1 at stage decode, e.g. LimitError: too long",
        "failed     1 at stage elsewhere, e.g. StrangeError",
    ]


@pytest.mark.slow
def test_the_sum_of_two_observations_is_that_of_all_rows(spark):
    rows = [("open", "CredentialsError", f"no key to read {n}") for n in range(3)]
    rows += [("upload", "CredentialsError", "no key to write")] * 2
    rows += [("upload", "StrangeError", "odd"), ("clip", "ModelError", "of no use")]
    parts = [metrics(spark, part)[FAILURES] for part in ([], rows[:2], rows[2:4], [], rows[4:])]
    added = functools.reduce(add_failures, parts)
    assert failure_lines({FAILURES: added}) == observed(spark, rows)


def test_without_failures_there_is_no_line(spark):
    assert observed(spark, [None, None]) == []
    assert observed(spark, []) == []


@pytest.mark.parametrize(
    ("most", "failed", "done", "allowed"),
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
def test_the_limit_of_failures(most, failed, done, allowed):
    limit = MaxFailures.parse(most)
    if allowed:
        limit.check(failed, done)
    else:
        with pytest.raises(TooManyFailuresError, match=f"^{failed} of {failed + done} videos"):
            limit.check(failed, done)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "%", "101%", "nan%", "1e3%", "ten"])
def test_texts_that_are_no_limit_of_failures(text):
    with pytest.raises(ParameterError, match=r"`max_failures` must be .* use e\.g\. 10 or 5%"):
        MaxFailures.parse(text)
