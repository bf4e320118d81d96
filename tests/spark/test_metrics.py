"""The numbers that Spark counts are those that are counted by hand: classic, Connect, streaming."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from pyspark.sql import Observation

from spark_keyframes import metrics, report_lines
from spark_keyframes.errors import STAGES
from tests.conftest import REPO
from tests.spark.counting import NAMES, both, by_hand
from tests.spark.pseudo_terminal import PseudoTerminal

# By the frames and candidates of the clips a, b and c, see tests/conftest.py.
KNOWN = {"videos": 6, "done": 3, "failed": 2, "failed_open": 1, "failed_demux": 1, "keyframes": 12}
KNOWN |= {"frames_scored": 18 + 10 + 6, "images_uploaded": 12}


@pytest.fixture(scope="module")
def paths(clips, tmp_path_factory):
    """Three that are good, one that is missing, one that is none, one that is null."""
    none = tmp_path_factory.mktemp("none") / "none.mp4"
    none.write_bytes(b"no video at all" * 50)
    return [*map(str, clips), "/missing.mp4", str(none), None]


def check(hand, counted):
    assert {name: hand[name] for name in KNOWN} == KNOWN
    assert hand["decode_seconds"] > 0
    assert hand["bytes_uploaded"] > 0
    assert hand["frames_decoded"] + hand["frames_skipped"] == 90 + 50 + 30
    assert {name: counted[name] for name in hand} == pytest.approx(hand)
    rest = {name: value for name, value in counted.items() if name not in hand}
    assert set(rest) >= {f"failed_{stage}" for stage in STAGES} - set(hand)
    assert not any(rest.values()), rest


@pytest.fixture(scope="module")
def storing(plain, tmp_path_factory):
    return replace(plain, output_tos_dir=str(tmp_path_factory.mktemp("images")))


def test_classic(spark, storing, paths):
    check(*both(storing, spark.createDataFrame([(path,) for path in paths], "video string")))


@pytest.mark.slow
def test_connect(models, paths, tmp_path):
    pytest.importorskip("grpc")
    program = REPO / "tests" / "spark" / "counting.py"
    arguments = ["local[2]", models, tmp_path / "images", *(path or "" for path in paths)]
    with PseudoTerminal() as terminal:
        done = subprocess.run(
            [sys.executable, program, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(REPO)},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=terminal.file,
            text=True,
            timeout=300,
            check=False,
        )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT")] or [""]
    assert line, terminal.text
    check(*json.loads(line.removeprefix("RESULT")))
    counts = [
        (int(n), int(total)) for n, total in re.findall(r"tasks: .* (\d+)/(\d+)", terminal.text)
    ]
    assert counts[-1][0] == counts[-1][1] > 0, "the bar counts tasks"


def test_streaming_has_the_numbers_of_each_batch(spark, storing, paths, tmp_path):
    frame = spark.createDataFrame([(path,) for path in paths], "video string")
    frame.repartition(3).write.parquet(str(tmp_path / "in"))
    stream = spark.readStream.schema("video string").option("maxFilesPerTrigger", 2)
    result = storing.transform(stream.parquet(str(tmp_path / "in")), **NAMES)
    query = (
        result.observe("videos", *metrics(**NAMES))
        .writeStream.option("checkpointLocation", str(tmp_path / "checkpoint"))
        .trigger(availableNow=True)
        .start(str(tmp_path / "out"))
    )
    query.awaitTermination()
    batches = [
        progress["observedMetrics"]["videos"].asDict()
        for progress in query.recentProgress
        if "videos" in progress["observedMetrics"]
    ]
    assert len(batches) == 2
    numbers = [name for name, value in batches[0].items() if isinstance(value, int | float)]
    summed = {name: sum(batch[name] for batch in batches) for name in numbers}
    check(by_hand(spark.read.parquet(str(tmp_path / "out")).collect()), summed)
    assert report_lines(batches[-1])[0].startswith(f"videos     {batches[-1]['videos']}: ")


def test_without_videos_all_is_zero(spark, plain):
    seen = Observation()
    frame = spark.createDataFrame([], "video string")
    names = {"error_col": "why", "account_col": "took"}
    plain.transform(frame, **names).observe(seen, *metrics(**names)).collect()
    assert {value for value in seen.get.values() if isinstance(value, int | float)} == {0}
    assert report_lines(seen.get) == [
        "videos     0: 0 with keyframes, 0 failed",
        "keyframes  0",
        "seconds    waited 0.0 for the model; summed over the videos",
        "frames     0 decoded, 0 skipped, 0 scored",
    ]


def test_what_is_not_asked_for_is_not_reported(spark, plain, clips):
    seen = Observation()
    frame = spark.createDataFrame([(str(clips[2]),), (None,)], "video string")
    plain.transform(frame, output_col="a.b").observe(seen, *metrics(output_col="a.b")).collect()
    assert seen.get == {"videos": 2, "done": 1, "keyframes": 4}
    assert report_lines(seen.get) == ["videos     2: 1 with keyframes", "keyframes  4"]
