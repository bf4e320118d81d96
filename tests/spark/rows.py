"""Rows of Spark beside what this process selects."""

import pytest


def check(rows, expected):
    for row in rows:
        wanted = expected[row["video"]]
        assert row["keyframes"]["tos_paths"] == []
        assert row["keyframes"]["frame_ids"] == wanted.frame_ids
        assert row["keyframes"]["scores"] == pytest.approx(wanted.scores, abs=1e-6)


def prompted(spark, video):
    """A video that is good, one that is missing, a null one, and one with a null text."""
    rows = [(str(video), "spoon"), ("/none.mp4", "spoon"), (None, "spoon"), (str(video), None)]
    return spark.createDataFrame(rows, "video string, prompt string")
