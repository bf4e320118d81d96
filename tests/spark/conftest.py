"""What the tests of the engine on Spark share: videos, and what is selected of each."""

import pytest


@pytest.fixture(scope="module")
def videos(spark, clips):
    rows = [(number, str(clips[number % 3])) for number in range(7)]
    return spark.createDataFrame(rows, "id int, video string")


@pytest.fixture(scope="module")
def expected(plain, clips):
    """What this process selects of each clip."""
    return {str(path): plain.sample(str(path)) for path in clips}
