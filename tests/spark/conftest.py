"""Videos for tests on Spark, and checks of their rows."""

import pytest


@pytest.fixture(scope="module")
def videos(spark, clips):
    """Seven rows of the three clips."""
    rows = [(number, str(clips[number % 3])) for number in range(7)]
    return spark.createDataFrame(rows, "id int, video string")


@pytest.fixture(scope="module")
def expected(plain, clips):
    """The keyframes of each clip, sampled in this process."""
    return {str(path): plain.sample(str(path)) for path in clips}


def check_rows(rows, expected):
    """Compare rows of Spark with keyframes that were sampled in this process."""
    for row in rows:
        wanted = expected[row["video"]]
        assert row["keyframes"]["tos_paths"] == []
        assert row["keyframes"]["frame_ids"] == wanted.frame_ids
        assert row["keyframes"]["scores"] == pytest.approx(wanted.scores, abs=1e-6)


def videos_with_texts(spark, video):
    """Return four rows: a good video, a missing one, a null one, and one with a null text."""
    rows = [(str(video), "spoon"), ("/none.mp4", "spoon"), (None, "spoon"), (str(video), None)]
    return spark.createDataFrame(rows, "video string, prompt string")
