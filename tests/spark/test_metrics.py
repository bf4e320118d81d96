"""`metrics` counts what the rows say: in a classic session, over Connect and in a stream."""

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
from tests.spark.metrics_program import NAMES, count_rows, count_twice
from tests.spark.pseudo_terminal import PseudoTerminal

# From the frames and candidates of the clips a, b and c in tests/conftest.py.
KNOWN = {"videos": 6, "done": 3, "failed": 2, "failed_open": 1, "failed_demux": 1, "keyframes": 12}
KNOWN |= {"frames_scored": 18 + 10 + 6, "images_uploaded": 12}


@pytest.fixture(scope="module")
def paths(clips, tmp_path_factory):
    """Three good videos, a missing one, a file that is not a video, and a null."""
    none = tmp_path_factory.mktemp("none") / "none.mp4"
    none.write_bytes(b"no video at all" * 50)
    return [*map(str, clips), "/missing.mp4", str(none), None]


def check_counts(from_rows, from_metrics):
    assert {name: from_rows[name] for name in KNOWN} == KNOWN
    assert from_rows["decode_seconds"] > 0
    assert from_rows["bytes_uploaded"] > 0
    assert from_rows["frames_decoded"] + from_rows["frames_skipped"] == 90 + 50 + 30
    assert {name: from_metrics[name] for name in from_rows} == pytest.approx(from_rows)
    rest = {name: value for name, value in from_metrics.items() if name not in from_rows}
    assert set(rest) >= {f"failed_{stage}" for stage in STAGES} - set(from_rows)
    assert not any(rest.values()), rest


@pytest.fixture(scope="module")
def sampler_with_output(plain, tmp_path_factory):
    return replace(plain, output_tos_dir=str(tmp_path_factory.mktemp("images")))


def test_classic(spark, sampler_with_output, paths):
    videos = spark.createDataFrame([(path,) for path in paths], "video string")
    check_counts(*count_twice(sampler_with_output, videos))


@pytest.mark.slow
def test_connect(models, paths, tmp_path):
    pytest.importorskip("grpc")
    program = REPO / "tests" / "spark" / "metrics_program.py"
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
    check_counts(*json.loads(line.removeprefix("RESULT")))
    counts = [
        (int(n), int(total)) for n, total in re.findall(r"tasks: .* (\d+)/(\d+)", terminal.text)
    ]
    assert counts[-1][0] == counts[-1][1] > 0, "the bar counts tasks, and ends with all of them"


def test_a_stream_has_the_counts_of_each_batch(spark, sampler_with_output, paths, tmp_path):
    frame = spark.createDataFrame([(path,) for path in paths], "video string")
    frame.repartition(3).write.parquet(str(tmp_path / "in"))
    stream = spark.readStream.schema("video string").option("maxFilesPerTrigger", 2)
    result = sampler_with_output.transform(stream.parquet(str(tmp_path / "in")), **NAMES)
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
    check_counts(count_rows(spark.read.parquet(str(tmp_path / "out")).collect()), summed)
    assert report_lines(batches[-1])[0].startswith(f"videos     {batches[-1]['videos']}: ")


def test_without_videos_all_counts_are_zero(spark, plain):
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


def test_without_error_and_account_columns_their_counts_are_missing(spark, plain, clips):
    seen = Observation()
    frame = spark.createDataFrame([(str(clips[2]),), (None,)], "video string")
    plain.transform(frame, output_col="a.b").observe(seen, *metrics(output_col="a.b")).collect()
    assert seen.get == {"videos": 2, "done": 1, "keyframes": 4}
    assert report_lines(seen.get) == ["videos     2: 1 with keyframes", "keyframes  4"]
