"""The preloading daemon is safe to fork, and its workers give the same results."""

import os
import subprocess
import sys
import textwrap

import pytest

from tests.conftest import REPO

PRELOADED = """
import os, sys, time
from spark_keyframes.spark import daemon

def threads():
    return len(os.listdir("/proc/self/task"))

daemon.preload()
"""


def python(program, *arguments, **environment):
    """Run a program; return the words of its stdout, and its stderr."""
    inherited = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        env={**inherited, "PYTHONPATH": str(REPO), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


@pytest.mark.slow
def test_preloading_starts_no_thread_and_sets_how_threads_wait():
    program = PRELOADED + 'print(threads(), os.environ["OMP_WAIT_POLICY"], "torch" in sys.modules)'
    printed, _ = python(program, OMP_NUM_THREADS="1")
    assert printed == ["1", "PASSIVE", "True"]


@pytest.mark.slow
def test_preloading_does_not_ask_for_cuda():
    # Even torch.cuda.is_available() makes CUDA unusable after a fork.
    program = """
        import torch
        asked = []
        for name in ("is_available", "device_count", "init", "_lazy_init", "current_device"):
            setattr(torch.cuda, name, lambda *_, name=name: asked.append(name) or 0)
        from spark_keyframes.spark import daemon
        daemon.preload()
        print(asked, torch.cuda.is_initialized())
    """
    printed, _ = python(program)
    assert printed == ["[]", "False"]


@pytest.mark.slow
def test_a_forked_worker_computes_with_all_its_threads():
    # The OpenBLAS of numpy starts threads at its import, but ends them before a fork.
    program = PRELOADED + textwrap.dedent("""
        pid = os.fork()
        if pid:
            deadline = time.monotonic() + 10
            while threads() > 1 and time.monotonic() < deadline:
                time.sleep(0.01)
            print(threads())
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        import numpy, torch
        ones = torch.ones(700, 700)
        assert torch.equal(ones @ ones, ones * 700)
        assert numpy.array_equal(ones.numpy() @ ones.numpy(), 700 * ones.numpy())
        assert torch.get_num_threads() == 2
        assert threads() > 1
        os._exit(0)
    """)
    printed, _ = python(program, OMP_NUM_THREADS="2")
    assert printed == ["1"]


@pytest.mark.slow
def test_a_failed_import_is_reported_and_left_to_the_workers(tmp_path):
    (tmp_path / "transformers.py").write_text("print('hello')\nraise ImportError('it is broken')")
    printed, said = python(
        PRELOADED + "print(threads())",
        PYTHONPATH=f"{tmp_path}{os.pathsep}{REPO}",
        OMP_NUM_THREADS="1",
    )
    assert printed == ["1"], "stdout is Spark's"
    assert "left to the workers: transformers.models.clip.modeling_clip" in said
    assert "ImportError: it is broken" in said


ON_SPARK = """
    import sys
    from pyspark.sql import SparkSession
    from spark_keyframes import VideoAdaptiveKeyframesSampling

    models, cpus, *videos = sys.argv[1:]
    spark = (
        SparkSession.builder.master(f"local[{cpus}]")
        .config("spark.task.cpus", cpus)
        .config("spark.python.daemon.module", "spark_keyframes.spark.daemon")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )

    def inspect_worker(batches):
        import os, sys
        import pyarrow as pa
        there = "transformers.models.clip.modeling_clip" in sys.modules
        import torch
        for batch in batches:
            values = {"there": [there], "threads": [torch.get_num_threads()]}
            values["policy"] = [os.environ.get("OMP_WAIT_POLICY")]
            yield pa.RecordBatch.from_pydict(values)

    frame = spark.createDataFrame([(v,) for v in videos], "video string").coalesce(1)
    seen = frame.limit(1).mapInArrow(inspect_worker, "there boolean, threads long, policy string")
    print("WORKER", *seen.first())
    sampler = VideoAdaptiveKeyframesSampling(text="spoon", model_path=models,
        clip_model_name="small", fps=5, max_num_frames=4, dtype="float32", return_keyframes=False)
    for row in sampler.transform(frame, on_error="raise").collect():
        print("RESULT", *row["keyframes"]["frame_ids"], *row["keyframes"]["scores"])
    spark.stop()
"""


@pytest.mark.slow
@pytest.mark.parametrize("cpus", [1, 2])
def test_workers_of_the_daemon_start_loaded_and_give_the_same_result(models, plain, clips, cpus):
    printed, said = python(ON_SPARK, models, cpus, *clips)
    text = " ".join(printed)
    assert f"WORKER True {cpus} PASSIVE" in text, text + said
    results = [part.split() for part in text.split("RESULT")[1:]]
    assert len(results) == len(clips)
    for clip, values in zip(clips, results, strict=True):
        expected = plain.sample(clip)
        assert [int(value) for value in values[:4]] == expected.frame_ids
        assert [float(value) for value in values[4:]] == pytest.approx(expected.scores, abs=1e-6)
