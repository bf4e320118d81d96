"""Modules, selectors and callbacks of a program's own, on every kind of Spark."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pyspark
import pytest

from tests.spark.connect import connect_server, environment_of

PROGRAM = """
    import sys
    from pathlib import Path
    from pyspark.sql import SparkSession
    from spark_keyframes import (
        Callback, KeyframesModule, Selector, VideoAdaptiveKeyframesSampling
    )

    master, notes, *videos = sys.argv[1:]

    class Brightness(KeyframesModule):
        key = "one"

        def setup(self, device):
            with open(f"{notes}/setups", "a") as file:
                print("setup", file=file)
            self.ready = True

        def preprocess(self, rgb):
            return rgb.mean()

        def predict_step(self, inputs, texts):
            assert self.ready
            return inputs

    class FirstAndLast(Selector):
        def select(self, scores, k):
            return [len(scores) - 1, 0]

    class Names(Callback):
        def on_video_end(self, source, outcome):
            with open(f"{notes}/ended", "a") as file:
                print(Path(source).name, len(outcome.frame_ids), file=file)

    sampler = VideoAdaptiveKeyframesSampling(
        module=Brightness(), selector=FirstAndLast(), callbacks=[Names()],
        fps=5, max_num_frames=2, return_keyframes=False,
    )
    here = sampler.sample(videos[0])
    print("SAMPLE", *here.frame_ids)
    open(f"{notes}/setups", "w").close()
    builder = SparkSession.builder.config("spark.ui.enabled", "false").config(
        "spark.python.daemon.module", "spark_keyframes.spark.daemon"
    )
    builder = builder.config("spark.python.daemon.module", "spark_keyframes.spark.daemon")
    builder = builder.remote(master) if master.startswith("sc:") else builder.master(master)
    spark = builder.getOrCreate()
    frame = spark.createDataFrame([(v,) for v in videos], "video string").repartition(4, "video")
    for job in range(3):
        for row in sampler.transform(frame, error_col="why").collect():
            assert row["why"] is None, row
            print("RESULT", job, Path(row["video"]).name, *row["keyframes"]["frame_ids"])
    udf = sampler.udf()
    for row in frame.select("video", udf("video").alias("k")).collect():
        print("UDF", Path(row["video"]).name, *row["k"]["frame_ids"])
    spark.stop()
"""
LAST = {"a.mp4": 85, "b.mp4": 45, "c.mp4": 25}


def run(master, clips, folder):
    """What the program printed, and the setups that its workers noted."""
    program = folder / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    # local-cluster starts its executors by Spark's own scripts.
    environment = environment_of(Path(sys.executable), SPARK_HOME=Path(pyspark.__file__).parent)
    command = [sys.executable, str(program), master, str(folder), *map(str, clips)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines(), (folder / "setups").read_text().split()


def check(lines):
    assert "SAMPLE 0 85" in lines
    found = sorted(line for line in lines if line.startswith("RESULT"))
    assert found == [f"RESULT {n} {name} 0 {last}" for n in range(3) for name, last in LAST.items()]
    in_sql = sorted(line for line in lines if line.startswith("UDF"))
    assert in_sql == [f"UDF {name} 0 {last}" for name, last in LAST.items()]


@pytest.mark.slow
def test_classes_of_a_program_s_main_in_a_local_session(clips, tmp_path):
    lines, setups = run("local[2]", clips, tmp_path)
    check(lines)
    assert 1 <= len(setups) <= 2, "one for each of at most two Python workers"
    ended = (tmp_path / "ended").read_text().splitlines()
    assert sorted(ended) == sorted(f"{name} 2" for name in (*LAST, *LAST, *LAST, *LAST, "a.mp4"))


@pytest.mark.slow
def test_classes_of_a_program_s_main_on_a_cluster(clips, tmp_path):
    lines, setups = run("local-cluster[2,1,1024]", clips, tmp_path)
    check(lines)
    assert 1 <= len(setups) <= 2, "once per executor, over three jobs and a UDF"


@pytest.mark.slow
def test_classes_of_a_program_s_main_over_connect(clips, tmp_path):
    with connect_server(tmp_path / "connect.log") as url:
        lines, _ = run(url, clips, tmp_path)
    check(lines)
