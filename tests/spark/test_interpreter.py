"""Which Python the workers run, and what they say where it lacks the package."""

import pickle
import subprocess
import sys
from types import SimpleNamespace

import py4j
import pyspark
import pytest
from pyspark import cloudpickle
from pyspark.sql import SparkSession

from spark_keyframes.spark.interpreter import shipped, use_own_python
from tests.conftest import REPO


def session(master, **conf):
    context = SimpleNamespace(master=master, pythonExec="python3", getConf=lambda: conf)
    return SimpleNamespace(sparkContext=context)


@pytest.mark.parametrize(
    ("master", "environment", "conf", "expected"),
    [
        ("local[2]", {}, {}, sys.executable),
        ("local-cluster[2,1,1024]", {}, {}, sys.executable),
        ("local[2]", {"PYSPARK_PYTHON": "/opt/python"}, {}, "python3"),
        ("local[2]", {}, {"spark.pyspark.python": "/opt/python"}, "python3"),
        ("spark://head:7077", {}, {}, "python3"),
    ],
)
def test_a_local_session_runs_the_driver_s_own_python(
    monkeypatch, master, environment, conf, expected
):
    monkeypatch.delenv("PYSPARK_PYTHON", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    spark = session(master, **conf)
    use_own_python(spark)
    assert spark.sparkContext.pythonExec == expected


def test_so_it_does_for_the_data_source(monkeypatch):
    """`spark.dataSource.register` asks the class for its name before it notes the Python."""
    pytest.importorskip("pyspark.sql.datasource")
    from spark_keyframes import KeyframeCandidates

    monkeypatch.delenv("PYSPARK_PYTHON", raising=False)
    spark = session("local[2]")
    monkeypatch.setattr(SparkSession, "getActiveSession", lambda: spark)
    assert KeyframeCandidates.name() == "keyframe_candidates"
    assert spark.sparkContext.pythonExec == sys.executable


def test_a_shipped_function_does_the_same():
    assert list(pickle.loads(cloudpickle.dumps(shipped(sorted)))([3, 1])) == [1, 3]


def test_a_python_without_the_package_is_named(tmp_path, plain):
    """As a worker: the driver's pickle, in a Python that has Spark but not this package."""
    (tmp_path / "function").write_bytes(cloudpickle.dumps(shipped(plain.sample)))
    for package in (pyspark, py4j):
        (tmp_path / package.__name__).symlink_to(package.__path__[0])
    program = "import pickle; pickle.load(open('function', 'rb'))([])"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.splitlines()[-1]
    assert "No module named 'spark_keyframes' in the Python of this worker" in last, done.stderr
    assert sys.executable in last
    assert "PYSPARK_PYTHON" in last


@pytest.mark.slow
def test_a_program_without_an_active_environment_samples(tmp_path, models, clips):
    program = tmp_path / "program.py"
    program.write_text(
        f"""
from pyspark.sql import SparkSession
from spark_keyframes import VideoAdaptiveKeyframesSampling
spark = SparkSession.builder.master("local[1]").getOrCreate()
videos = spark.createDataFrame([({str(clips[2])!r},)], "video string")
sampler = VideoAdaptiveKeyframesSampling(text="spoon", model_path={str(models)!r},
    clip_model_name="small", fps=5, max_num_frames=4, return_keyframes=False)
sampler.transform(videos).selectExpr("size(keyframes.frame_ids) AS keyframes").show()
"""
    )
    done = subprocess.run(
        [sys.executable, str(program)],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPO), "SPARK_LOCAL_IP": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "|        4|" in done.stdout
